"""Keys as customers use them: made, copied, called with, seen, rotated, ended; and asked from the page itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from openai import AuthenticationError, OpenAI
from playwright.sync_api import Page, expect

from tests.axe import grave_faults
from tests.browser import PHONE
from tests.shop import Customer
from tests.site import Site
from tests.waiting import wait_until

SECONDS = 60


@pytest.fixture
def owner(site: Site) -> Customer:
    """Somebody with money, whose first key is one of the tests'."""
    return site.customer(usd="5")


def make(page: Page, name: str, *, kind: str = "Live") -> str:
    """The text of a new key, from its page."""
    page.goto("/keys")
    page.get_by_role("link", name="New key").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label(kind, exact=False).check()
    page.get_by_label("Name").press("Enter")  # makes the key, and does not only count models
    return page.locator(".token code").inner_text()


def ask(site: Site, key: str) -> str:
    """What openai-python is answered."""
    client = OpenAI(api_key=key, base_url=site.url("/v1"), max_retries=0)
    answer = client.chat.completions.create(model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
    return answer.choices[0].message.content or ""


def refusal(site: Site, key: str) -> tuple[int, bytes]:
    answer = site.shop.call("/v1/models", headers={"Authorization": f"Bearer {key}"})
    return answer.status, answer.body


def test_a_key_from_its_making_to_its_end(site: Site, owner: Customer, tmp_path: Path) -> None:
    """R21, R22: created, copied, used by openai-python, seen used, rotated with a grace, refused after it."""
    page = site.window(owner.person, permissions=["clipboard-read", "clipboard-write"])
    key = make(page, "website")
    page.get_by_role("button", name="Copy the key").click()
    wait_until(lambda: page.evaluate("navigator.clipboard.readText()") == key)
    page.get_by_text("Python", exact=True).click()
    program = tmp_path / "hello.py"
    program.write_text(page.locator("#programs-python + label + .snippet code").inner_text())
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stdout.startswith("The quick brown fox"), done.stderr

    page.goto("/keys")
    row = page.get_by_role("row").filter(has_text="website")
    expect(row).to_contain_text("127.0.0.1")
    assert site.shop.query("SELECT total_nano FROM api_keys WHERE key_prefix = %s", key[:12])[0]["total_nano"] > 0
    assert key not in page.content()

    page.get_by_role("link", name="Rotate website").click()
    page.get_by_label("How long the old key still works").select_option("For 1 hour")
    page.get_by_role("button", name="Rotate").click()
    successor = page.locator(".token code").inner_text()
    assert [ask(site, each)[:9] for each in (key, successor)] == ["The quick"] * 2

    site.shop.query("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_prefix = %s RETURNING 1", key[:12])
    unknown = refusal(site, "sk_live_unknown")
    with pytest.raises(AuthenticationError):
        ask(site, key)
    assert refusal(site, key) == unknown
    assert unknown[0] == 401
    assert ask(site, successor).startswith("The quick")

    page.goto("/keys")
    expect(page.get_by_role("row").filter(has_text=f"replaces {key[:12]}…")).to_contain_text("active")
    page.get_by_text("Keys that have ended (1)").click()
    expect(page.get_by_role("row").filter(has_text=f"replaced by {successor[:12]}…")).to_contain_text("expired")
    assert "key.rotate" in {action["action"] for action in site.shop.query("SELECT action FROM staff_actions")}


def test_a_model_is_asked_from_the_page_and_the_charge_told(site: Site, owner: Customer) -> None:
    page = site.window(owner.person, size=PHONE)
    make(page, "first try")
    page.get_by_label("Model").select_option("openai/gpt-4o-mini")

    page.get_by_role("button", name="Ask").click()

    expect(page.locator("[data-try-answer]")).to_contain_text("The quick brown fox")
    expect(page.locator("[data-try-cost]")).to_contain_text("Charged $0.0000")
    assert owner.row["is_stream"]
    assert owner.row["charge_nano"] > 0
    assert grave_faults(page) == []


def test_what_the_api_refuses_is_told_in_its_words_and_a_key_that_is_pasted_goes_to_the_api_alone(site: Site, owner: Customer) -> None:
    site.allow(401)
    page = site.window(owner.person)
    page.goto("/keys/try")
    page.get_by_label("API key").fill("sk_live_wrong")
    with page.expect_request("**/v1/chat/completions") as asked:
        page.get_by_role("button", name="Ask").click()

    expect(page.locator("[data-try-answer]")).to_contain_text("Incorrect API key provided")
    assert asked.value.headers["authorization"] == "Bearer sk_live_wrong"
    assert "cookie" not in asked.value.all_headers()
    assert page.url.endswith("/keys/try")
    assert grave_faults(page) == []


def test_keys_are_made_rotated_and_revoked_without_a_script(site: Site, owner: Customer) -> None:
    page = site.window(owner.person, java_script_enabled=False)
    key = make(page, "plain")
    expect(page.locator("noscript, .made")).not_to_have_count(0)
    assert f"Bearer {key}" in page.locator("#programs-curl + label + .snippet code").inner_text()

    page.goto("/keys")
    page.get_by_role("link", name="Rotate plain").click()
    page.get_by_label("How long the old key still works").select_option("Not at all: refuse it now")
    page.get_by_role("button", name="Rotate").click()
    successor = page.locator(".token code").inner_text()
    page.goto("/keys")
    page.get_by_role("row").filter(has_text="plain").get_by_role("button", name="Revoke").click()

    assert [refusal(site, each)[0] for each in (key, successor, owner.key)] == [401, 401, 200]


def test_a_question_that_is_dismissed_revokes_nothing(site: Site, owner: Customer) -> None:
    page = site.window(owner.person)
    page.goto("/keys")

    page.get_by_role("button", name="Revoke").first.click()
    page.get_by_role("button", name="Cancel").click()
    page.reload()

    assert refusal(site, owner.key)[0] == 200
    expect(page.get_by_role("row").nth(1)).to_contain_text("active")
    assert grave_faults(page) == []
