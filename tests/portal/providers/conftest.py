"""A deployment with an OpenID provider, Google and GitHub, each a fake of its own, and visitors who go there and back."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from reseller.clients.providers import GitHubAddresses
from reseller.portal.providers.offered import Offered, configured
from reseller.wiring import wiring_of
from tests.fakes.provider import CLIENT_ID, CLIENT_SECRET, FakeProvider
from tests.portal.visitor import Visitor

ORIGIN = "https://shop.example"


class Traveller(Visitor):
    """A visitor who signs in elsewhere. `fakes`: what stands behind each provider's name."""

    fakes: dict[str, FakeProvider]

    def set_out(self, provider: str = "oidc", *, next: str = "") -> str:
        """Where the button leads: the address at the provider."""
        answer = self.get(f"/sign-in/with/{provider}" + (f"?next={next}" if next else ""))
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return str(answer.location)

    def come_back(self, url: str, provider: str = "oidc") -> TestResponse:
        """What the provider makes of the address, and what we make of that."""
        return self.get(self.back_from(url, provider))

    def back_from(self, url: str, provider: str = "oidc") -> str:
        """The path of ours that the provider sends the browser to."""
        back = self.fakes[provider].vouch(url)
        assert back.startswith(f"{ORIGIN}/"), back
        return back.removeprefix(ORIGIN)

    def through(self, provider: str = "oidc", *, next: str = "") -> TestResponse:
        """There and back."""
        return self.come_back(self.set_out(provider, next=next), provider)

    def link(self, provider: str = "oidc") -> TestResponse:
        """There and back from the page of one's own account; shows the password first."""
        self.post("/sign-in/confirm", password=PASSWORD)
        return self.come_back(self.onwards_of(self.post(f"/sign-in/with/{provider}/link", seen="/settings")), provider)

    def onwards_of(self, answer: TestResponse) -> str:
        """Where a page that leads on by itself leads."""
        page = answer.get_data(as_text=True)
        assert 'http-equiv="refresh"' in page, page
        return page.split('content="0;url=')[1].split('"')[0].replace("&amp;", "&")


PASSWORD = "correct horse battery staple"


@pytest.fixture
def fakes() -> Iterator[dict[str, FakeProvider]]:
    """The providers by name. Each knows an Ann of its own."""
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(FakeProvider()) for name in ("oidc", "google", "github")}
        running["github"].user = {"id": 4711, "name": "Ann"}
        running["github"].emails = [{"email": "ann@example.com", "primary": True, "verified": True}]
        yield running


@pytest.fixture
def deployment(app: Flask, make_app: Callable[..., Flask], fakes: dict[str, FakeProvider]) -> Flask:
    """The app with all three."""
    ours = {
        f"{group}_{name}": value
        for group in ("OIDC", "GOOGLE", "GITHUB")
        for name, value in (("CLIENT_ID", CLIENT_ID), ("CLIENT_SECRET", CLIENT_SECRET))
    }
    made = make_app(OIDC_ISSUER=fakes["oidc"].issuer, OIDC_LABEL="Acme", PUBLIC_URL=ORIGIN, **ours)
    github = GitHubAddresses(fakes["github"].issuer, fakes["github"].issuer)
    made.extensions[Offered.__name__] = configured(wiring_of(made).settings, google_issuer=fakes["google"].issuer, github=github)
    return made


@pytest.fixture
def traveller(deployment: Flask, fakes: dict[str, FakeProvider], clock: time_machine.Traveller) -> Callable[..., Traveller]:
    """`traveller()` is somebody new with a browser."""

    def new(address: str = "192.0.2.1") -> Traveller:
        made = Traveller(deployment, address, origin=ORIGIN)
        made.fakes = fakes
        return made

    return new
