"""/settings: one's own profile, password, authenticator and sessions; and /overview (R23, R26, R37)."""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from reseller.database import db
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import sessions
from reseller.portal import hashing
from reseller.portal.devices import device_of
from tests import factories
from tests.authenticator import Authenticator
from tests.domain import scenes
from tests.portal.visitor import RECOVERY_CODE, Visitor

Visitors = Callable[..., Visitor]

NEW = "a new long password"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


def at_home(visitor: Visitors, role: Role = Role.CUSTOMER) -> tuple[Person, Visitor, Authenticator | None]:
    """Somebody signed in; staff with an authenticator enrolled by the code before the present one."""
    person, browser = factories.make_person(role=role), visitor()
    browser.sign_in(person.email)
    return person, browser, None if role == Role.CUSTOMER else browser.enrol(steps=-1)[0]


def actions(*names: str) -> list[str]:
    return [row["action"] for row in scenes.rows("SELECT action FROM staff_actions ORDER BY action") if row["action"] in names]


def user(person: Person) -> dict[str, str]:
    [row] = [dict(row) for row in scenes.rows("SELECT * FROM users") if row["id"] == person.user_id]
    return row


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SUPPORT])
def test_everybody_has_an_account_page(app: Flask, visitor: Visitors, role: Role) -> None:
    person, browser, _ = at_home(visitor, role)

    page = browser.get("/settings").get_data(as_text=True)

    assert person.email in page
    assert "Firefox on Linux" in page
    assert "this browser" in page
    assert "192.0.2.1" in page
    for secret in ("token_digest", "password_hash", "$argon2", "sealed"):
        assert secret not in page


def test_the_address_of_before_leads_to_the_settings(app: Flask, visitor: Visitors) -> None:
    _, browser, _ = at_home(visitor)

    assert (browser.get("/account").status_code, browser.get("/account").location) == (301, "/settings")


@pytest.mark.parametrize(
    ("typed", "zone"),
    [("america/new_york", "America/New_York"), ("New York", "America/New_York"), (" utc ", "UTC"), ("tokyo", "Asia/Tokyo")],
)
def test_a_time_zone_is_found_as_people_type_it(app: Flask, visitor: Visitors, typed: str, zone: str) -> None:
    person, browser, _ = at_home(visitor)

    browser.post("/settings/profile", seen="/settings", full_name="Ann", time_zone=typed)

    assert user(person)["time_zone"] == zone


def test_signing_out_everywhere_ends_this_browser_too(app: Flask, visitor: Visitors) -> None:
    person, browser, _ = at_home(visitor)
    other = visitor("198.51.100.1")
    other.sign_in(person.email)

    answer = browser.post("/settings/sessions/end-all", seen="/settings")

    assert answer.location == "/sign-in"
    assert (browser.is_in(), other.is_in()) == (False, False)
    assert scenes.rows("SELECT * FROM sessions") == []
    assert actions("user.end_other_sessions", "user.sign_out") == ["user.end_other_sessions", "user.sign_out"]


def test_a_profile_is_saved_and_shown_in_the_new_zone_and_recorded(app: Flask, visitor: Visitors) -> None:
    person, browser, _ = at_home(visitor)

    answer = browser.post("/settings/profile", seen="/settings", full_name="  Ann   Lee ", time_zone="Asia/Tokyo", version="1")

    page = browser.get("/settings").get_data(as_text=True)
    assert answer.location == "/settings"
    assert "JST" in page
    assert (user(person)["full_name"], user(person)["time_zone"]) == ("Ann Lee", "Asia/Tokyo")
    [row] = scenes.rows("SELECT changes FROM staff_actions WHERE action = 'user.change_profile'")
    assert row["changes"] == {"full_name": ["", "Ann Lee"], "time_zone": ["UTC", "Asia/Tokyo"]}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime"])
def test_a_time_zone_that_is_none_is_refused(app: Flask, visitor: Visitors, zone: str) -> None:
    person, browser, _ = at_home(visitor)

    answer = browser.post("/settings/profile", seen="/settings", full_name="Ann", time_zone=zone)

    assert answer.status_code == 400
    assert user(person)["time_zone"] == "UTC"


def test_a_profile_that_changed_meanwhile_is_not_overwritten(app: Flask, visitor: Visitors) -> None:
    person, browser, _ = at_home(visitor)
    browser.post("/settings/profile", seen="/settings", full_name="First", time_zone="UTC", version="1")

    answer = browser.post("/settings/profile", seen="/settings", full_name="Second", time_zone="UTC", version="1")

    assert answer.status_code == 409
    assert user(person)["full_name"] == "First"


def test_nobody_sends_themselves_a_role_along_with_their_profile(app: Flask, visitor: Visitors) -> None:
    """R24: mass assignment."""
    person, browser, _ = at_home(visitor)

    browser.post("/settings/profile", seen="/settings", full_name="Ann", time_zone="UTC", role="admin", email="x@example.com", user_id="x")

    assert (user(person)["role"], user(person)["email"]) == ("customer", person.email)


def test_a_new_password_ends_the_other_sessions_and_renews_this_one(app: Flask, visitor: Visitors) -> None:
    """R26."""
    person, browser, _ = at_home(visitor)
    other, thief = visitor("198.51.100.1"), visitor("203.0.113.1")
    other.sign_in(person.email)
    thief.put_cookie(browser.cookie() or "")

    answer = browser.post("/settings/password", seen="/settings", current=factories.PASSWORD, new=NEW, again=NEW)

    assert answer.location == "/settings"
    assert [someone.is_in() for someone in (browser, other, thief)] == [True, False, False]
    assert visitor().sign_in(person.email).status_code == 403
    assert visitor().sign_in(person.email, NEW).location == "/overview"
    assert actions("user.set_password") == ["user.set_password"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"current": "wrong password", "new": NEW, "again": NEW}, 403),
        ({"current": factories.PASSWORD, "new": NEW, "again": NEW + "x"}, 400),
        ({"current": factories.PASSWORD, "new": "short", "again": "short"}, 400),
        ({"current": factories.PASSWORD, "new": "x" * 1001, "again": "x" * 1001}, 400),
        ({"current": "", "new": NEW, "again": NEW}, 400),
    ],
)
def test_a_password_is_not_changed_by_mistake_or_by_a_stranger(app: Flask, visitor: Visitors, fields: dict[str, str], status: int) -> None:
    person, browser, _ = at_home(visitor)
    before = user(person)["password_hash"]

    answer = browser.post("/settings/password", seen="/settings", **fields)

    assert answer.status_code == status
    assert user(person)["password_hash"] == before


def test_guessing_the_current_password_is_braked(app: Flask, visitor: Visitors) -> None:
    """A stolen session is not a place to guess in."""
    _, browser, _ = at_home(visitor)
    fields = {"current": "wrong password", "new": NEW, "again": NEW}

    statuses = [browser.post("/settings/password", seen="/settings", **fields).status_code for _ in range(6)]

    assert statuses == [403] * 5 + [429]


def test_no_transaction_is_open_while_a_password_is_hashed(app: Flask, visitor: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    """R31: a connection held for 30 ms of arithmetic is one that calls wait for."""
    is_open = []
    aside = hashing.aside

    def watched(*args: Any) -> Any:
        is_open.append(db.session().in_transaction())
        return aside(*args)

    monkeypatch.setattr(hashing, "aside", watched)
    _, browser, _ = at_home(visitor)
    browser.post("/settings/password", seen="/settings", current=factories.PASSWORD, new=NEW, again=NEW)
    browser.post("/sign-in/confirm", password=NEW)

    assert is_open == [False] * 4


def test_another_browser_is_signed_out_from_here(app: Flask, visitor: Visitors) -> None:
    person, browser, _ = at_home(visitor)
    other = visitor("198.51.100.1")
    other.sign_in(person.email)
    [theirs] = [row.id for row in sessions.sessions_of(person.user_id) if row.address == "198.51.100.1"]

    answer = browser.post(f"/settings/sessions/{theirs}/end", seen="/settings")

    assert answer.location == "/settings"
    assert (browser.is_in(), other.is_in()) == (True, False)
    assert actions("user.end_session") == ["user.end_session"]


def test_a_session_of_somebody_else_cannot_be_ended(app: Flask, visitor: Visitors) -> None:
    """R23."""
    _, browser, _ = at_home(visitor)
    victim, theirs, _ = at_home(visitor)
    [session] = sessions.sessions_of(victim.user_id)

    browser.post(f"/settings/sessions/{session.id}/end", seen="/settings")
    garbage = browser.post("/settings/sessions/not-an-id/end", seen="/settings")

    assert theirs.is_in()
    assert garbage.status_code == 404
    assert actions("user.end_session") == []


def test_everywhere_else_is_signed_out_at_once(app: Flask, visitor: Visitors) -> None:
    person, browser, _ = at_home(visitor)
    others = [visitor() for _ in range(2)]
    for other in others:
        other.sign_in(person.email)

    browser.post("/settings/sessions/end-others", seen="/settings")

    assert browser.is_in()
    assert [other.is_in() for other in others] == [False, False]


def test_an_authenticator_is_replaced_after_the_old_one_was_shown(app: Flask, visitor: Visitors, clock: time_machine.Traveller) -> None:
    person, browser, phone = at_home(visitor, Role.ADMIN)
    assert phone
    scenes.execute("UPDATE sessions SET confirmed_at = confirmed_at - interval '11 minutes'")

    asked = browser.get("/sign-in/enrol?next=/settings")
    browser.post(asked.location, code=phone.code())
    new, _ = browser.enrol("/sign-in/enrol?next=/settings", steps=-1)

    other = visitor()
    other.sign_in(person.email)
    assert asked.location.startswith("/sign-in/confirm?next=")
    assert other.show(phone.code(steps=1)).status_code == 403
    assert other.show(new.code()).location == "/admin/"
    assert actions("user.replace_second_factor") == ["user.replace_second_factor"]


def test_what_was_confirmed_ten_minutes_ago_is_asked_for_again(app: Flask, visitor: Visitors, clock: time_machine.Traveller) -> None:
    """Step-up ends by itself."""
    _, browser, phone = at_home(visitor, Role.ADMIN)
    assert phone
    within = browser.post("/settings/recovery-codes", seen="/settings")
    clock.shift(601)

    after = browser.post("/settings/recovery-codes", seen="/settings")
    browser.post(after.location, code=phone.code())
    again = browser.post("/settings/recovery-codes", seen="/settings")

    assert [answer.status_code for answer in (within, after, again)] == [200, 302, 200]
    assert after.location.startswith("/sign-in/confirm")
    assert len(set(RECOVERY_CODE.findall(again.get_data(as_text=True)))) == 10


def test_staff_cannot_remove_their_second_factor_and_customers_can(app: Flask, visitor: Visitors) -> None:
    """R26."""
    _, staff_browser, _ = at_home(visitor, Role.SUPPORT)
    customer, browser, _ = at_home(visitor)
    browser.post("/sign-in/confirm?next=/sign-in/enrol", password=factories.PASSWORD)
    browser.enrol()

    refused = staff_browser.post("/settings/authenticator/remove", seen="/settings")
    removed = browser.post("/settings/authenticator/remove", seen="/settings")

    assert refused.status_code == 403
    assert removed.location == "/settings"
    assert [row["user_id"] for row in scenes.rows("SELECT user_id FROM second_factors")] != [customer.user_id]
    assert visitor().sign_in(customer.email).location == "/overview"


def test_recovery_codes_are_nobody_s_without_an_authenticator(app: Flask, visitor: Visitors) -> None:
    _, browser, _ = at_home(visitor)
    browser.post("/sign-in/confirm", password=factories.PASSWORD)

    assert browser.post("/settings/recovery-codes", seen="/settings").status_code == 404


def test_the_overview_shows_the_own_account_and_no_other(app: Flask, visitor: Visitors) -> None:
    """R23."""
    factories.make_person(usd="77.25")
    mine, browser = factories.make_person(usd="3.5"), visitor()
    browser.sign_in(mine.email)

    page = browser.get("/overview").get_data(as_text=True)

    assert "$3.50" in page
    assert "77.25" not in page


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18 Safari/605.1.15", "Safari on macOS"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {WEBKIT} CriOS/140.0 Mobile Safari/604.1", "Chrome on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {WEBKIT} Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Linux"),
        ("<script>", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_a_browser_is_named_in_words(agent: str, words: str) -> None:
    assert device_of(agent) == words
