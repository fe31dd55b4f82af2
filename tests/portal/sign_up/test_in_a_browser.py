"""From a stranger's first click to the account and back into it, by letters that really travel: browser, web, worker, mail server."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.axe import grave_faults
from tests.fakes.smtp import MailServer, link_in
from tests.servers import WorkerProcess
from tests.site import Site

ANN, FIRST, SECOND = "ann@sign-up.example", "the first password of Ann", "the second password of Ann"


@pytest.fixture
def post(site: Site, tmp_path: Path) -> Iterator[MailServer]:
    """The mail server that a worker of the shop sends letters to."""
    with MailServer() as server:
        mail = {"MAIL_URL": server.url, "MAIL_FROM": "post@shop.example"}
        with WorkerProcess(env=site.shop.web.environment | mail, log=tmp_path / "worker.log"):
            yield server


def open_letter(window: Page, post: MailServer, site: Site, about: str) -> None:
    """The link of the newest letter, in this window."""
    link = urlsplit(link_in(post.to(ANN, about=about)))
    assert link.netloc == f"localhost:{site.shop.web.port}", "links lead to PUBLIC_URL"
    window.goto(link.path)


def sign_in(window: Page, password: str) -> None:
    window.goto("/sign-in")
    window.get_by_label("E-mail address").fill(ANN)
    window.get_by_label("Password").fill(password)
    window.get_by_role("button", name="Sign in").click()


def test_sign_up_confirm_use_reset_and_sign_in_again(site: Site, post: MailServer) -> None:
    """R26."""
    window = site.stranger()
    window.goto("/")
    window.get_by_role("link", name="Sign up").first.click()
    assert grave_faults(window) == []
    for label, value in (("E-mail address", ANN), ("Password", FIRST), ("Your name", "Ann Able"), ("Company", "Able Ltd")):
        window.get_by_label(label).fill(value)
    window.get_by_role("button", name="Create account").click()
    expect(window.get_by_text(ANN)).to_be_visible()

    open_letter(window, post, site, "Confirm")
    assert grave_faults(window) == []
    window.get_by_role("button", name="Confirm and sign in").click()
    expect(window).to_have_url(re.compile("/overview$"))
    window.reload()
    expect(window.get_by_role("heading", name="Overview")).to_be_visible()
    key = site.run_flask("keys", "create", ANN, "--name", "first").strip().splitlines()[-1]
    assert site.shop.call("/v1/key", headers={"Authorization": f"Bearer {key}"}).status == 200

    lost = site.stranger()
    lost.goto("/sign-in")
    lost.get_by_role("link", name="Forgotten your password?").click()
    lost.get_by_label("E-mail address").fill(ANN)
    lost.get_by_role("button", name="Send the letter").click()
    open_letter(lost, post, site, "Choose a new password")
    assert grave_faults(lost) == []
    lost.get_by_label("New password", exact=True).fill(SECOND)
    lost.get_by_label("New password again").fill(SECOND)
    lost.get_by_role("button", name="Save the new password").click()
    expect(lost).to_have_url(re.compile("/sign-in$"))
    window.reload()
    expect(window).to_have_url(re.compile("/sign-in"))
    site.allow(403)
    sign_in(window, FIRST)
    expect(window.get_by_text("do not belong together")).to_be_visible()
    sign_in(window, SECOND)
    expect(window).to_have_url(re.compile("/overview$"))
    assert "was changed" in str(post.to(ANN, about="Your password was changed").get_body(("plain",)))
