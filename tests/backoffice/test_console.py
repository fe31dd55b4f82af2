"""What the other browser tests rely on: windows are signed in, and nothing a page complains about goes unheard."""

from playwright.sync_api import expect

from reseller.domain.accounts import Role
from tests.browser import Windows
from tests.console import Console


def test_a_member_of_staff_is_signed_in(console: Console) -> None:
    page = console.page(Role.SUPPORT)

    page.goto("/admin/")

    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")


def test_a_stranger_is_sent_to_the_sign_in_page(console: Console) -> None:
    page = console.stranger()

    page.goto("/admin/")

    expect(page).to_have_url(console.url("/sign-in?next=/admin/"))


def test_a_command_a_job_and_the_api_see_the_same_shop(console: Console) -> None:
    customer = console.customer(usd="3")

    console.run_flask("users", "limits", customer.person.email, "--rpm", "7")
    lines = console.run_jobs("verify ledger")

    assert customer.chat().headers["x-ratelimit-limit-requests"] == "7"
    assert any(line.startswith("verify ledger:") for line in lines)


def test_a_page_that_complains_is_heard(console: Console) -> None:
    """A forbidden page, an error in a script, a style that the policy refuses, an address that nobody answers."""
    windows = Windows(console.windows.browser, console.windows.base_url)
    page = windows.open()
    page.goto("/sign-in")

    page.evaluate("() => { setTimeout(() => { throw new Error('on purpose') }) }")
    page.evaluate("() => document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')")
    page.evaluate("() => fetch('http://127.0.0.1:9/').catch(() => {})")
    page.goto("/nowhere")
    windows.close()

    heard = "\n".join(windows.complaints.unexpected)
    assert "on purpose" in heard
    assert "Content Security Policy" in heard
    assert "127.0.0.1:9" in heard
    assert "/nowhere: 404" in heard
