"""Providers in a real browser, against an OpenID provider that others wrote (PyPI oidc-provider-mock)."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.axe import grave_faults
from tests.browser import Windows
from tests.fakes.openid_mock import OpenIdMock, without_looks
from tests.servers import WebServer
from tests.shop import Shop
from tests.site import Site

PEOPLE = (
    {"sub": "newcomer", "email": "newcomer@example.org", "email_verified": True, "name": "New Comer"},
    {"sub": "linker", "email": "elsewhere@example.org"},
)


@dataclass(frozen=True, slots=True)
class Doors:
    """The shop's own web server, started with a provider named, under the address that it has for browsers."""

    origin: str
    windows: Windows

    def stranger(self) -> Page:
        page = without_looks(self.windows.open())
        page.goto(f"{self.origin}/sign-in")
        return page

    def url(self, path: str) -> str:
        return self.origin + path


@pytest.fixture(scope="module")
def server(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Beside the shop's server, on the same database."""
    folder = tmp_path_factory.mktemp("server")
    with OpenIdMock(PEOPLE, folder) as provider:
        ours = provider.settings("Sign in with Acme")
        with WebServer(env={**shop.web.environment, **ours}, log=folder / "web.log") as running:
            yield running


@pytest.fixture
def doors(server: WebServer, windows: Windows) -> Doors:
    return Doors(f"http://localhost:{server.port}", windows)


def through_the_provider(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def test_a_newcomer_signs_in_with_the_provider_and_out_everywhere(doors: Doors, site: Site) -> None:
    page = doors.stranger()
    faults = grave_faults(page)

    page.get_by_role("link", name="Sign in with Acme").click()
    through_the_provider(page, "newcomer")
    expect(page).to_have_url(doors.url("/overview"))
    other = doors.stranger()
    other.get_by_role("link", name="Sign in with Acme").click()
    through_the_provider(other, "newcomer")
    expect(other).to_have_url(doors.url("/overview"))

    page.goto(doors.url("/settings"))
    expect(page.get_by_role("region", name="Sign in with another account")).to_contain_text("newcomer@example.org")
    faults += grave_faults(page)
    page.get_by_role("button", name="Sign out everywhere", exact=True).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere", exact=True).click()
    expect(page).to_have_url(doors.url("/sign-in"))
    other.reload()
    expect(other).to_have_url(doors.url("/sign-in?next=/overview"))

    assert faults == []
    [person] = site.shop.query("SELECT id, password_hash FROM users WHERE email = 'newcomer@example.org'")
    assert person["password_hash"] is None
    assert site.shop.query("SELECT id FROM sessions WHERE user_id = %s", person["id"]) == []


def test_a_customer_links_the_provider_and_comes_in_through_it(doors: Doors, site: Site) -> None:
    """The policy's `form-action` lets no form lead elsewhere: the page in between does."""
    with site.at_work():
        person = factories.make_person()
    page = doors.stranger()
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    page.goto(doors.url("/settings"))
    page.get_by_role("button", name="Link Acme").click()
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Link Acme").click()
    through_the_provider(page, "linker")
    expect(page).to_have_url(doors.url("/settings"))
    expect(page.get_by_role("status").first).to_contain_text("You can sign in with Acme from now on.")
    elsewhere = doors.stranger()
    elsewhere.get_by_role("link", name="Sign in with Acme").click()
    through_the_provider(elsewhere, "linker")

    expect(elsewhere).to_have_url(doors.url("/overview"))
    elsewhere.goto(doors.url("/settings"))
    expect(elsewhere.get_by_role("main")).to_contain_text(person.email)
