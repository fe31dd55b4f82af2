"""Signing up and confirming the address: as people do, and as somebody does who registers what is not theirs (R26)."""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from reseller.domain import accounts
from reseller.domain.accounts import Role
from reseller.domain.letters import LetterKind
from reseller.portal import hashing
from tests import factories
from tests.domain import scenes
from tests.portal import mailbox
from tests.portal.visitor import Visitor

Visitors = Callable[..., Visitor]
ANN, PASSWORD = "ann@example.com", "a long password of Ann's"


def sign_up(browser: Visitor, email: str = ANN, password: str = PASSWORD, **fields: str) -> Any:
    return browser.post("/sign-up", email=email, password=password, **{"full_name": "Ann", "company": "", **fields})


def letter_link(app: Flask, email: str = ANN) -> str:
    return mailbox.link(app, email, LetterKind.VERIFY_ADDRESS)


def test_one_click_in_the_same_browser_confirms_and_signs_in(app: Flask, visitor: Visitors) -> None:
    browser = visitor()

    answer = sign_up(browser, company="Acme")
    told = browser.get(answer.location).get_data(as_text=True)
    before = browser.is_in()
    confirmed = browser.post(letter_link(app))

    assert (answer.location, confirmed.location) == ("/sign-up/sent", "/overview")
    assert ANN in told
    assert not before
    assert browser.is_in()
    [user] = scenes.rows("SELECT full_name, role, email_verified_at FROM users")
    assert (user["full_name"], user["role"]) == ("Ann", "customer")
    assert scenes.rows("SELECT company FROM accounts") == [{"company": "Acme"}]
    assert user["email_verified_at"] is not None
    actions = {row["action"] for row in scenes.rows("SELECT action FROM staff_actions")}
    assert actions == {"user.create", "user.verify_address", "user.sign_in"}


def test_looking_at_the_link_changes_nothing_and_leaves_no_trace(app: Flask, visitor: Visitors) -> None:
    """Mail scanners open every link, as often as they like."""
    sign_up(visitor())
    link = letter_link(app)

    answers = [visitor().get(link), visitor().get(link), visitor().client.head(link)]

    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        assert (answer.headers["Referrer-Policy"], answer.headers["Cache-Control"]) == ("no-referrer", "no-store")
    assert scenes.rows("SELECT email_verified_at FROM users") == [{"email_verified_at": None}]
    assert scenes.rows("SELECT used_at FROM links") == [{"used_at": None}]


def test_in_another_browser_the_password_is_asked_for_too(app: Flask, visitor: Visitors) -> None:
    sign_up(visitor())
    link, phone = letter_link(app), visitor("198.51.100.1")

    without, wrong = phone.post(link), phone.post(link, password="not the password")
    state_between = scenes.rows("SELECT email_verified_at FROM users")
    right = phone.post(link, password=PASSWORD)

    assert (without.status_code, wrong.status_code, right.location) == (400, 403, "/overview")
    assert state_between == [{"email_verified_at": None}]
    assert phone.is_in()


def test_whoever_registers_a_strangers_address_gets_nothing_from_the_strangers_click(app: Flask, visitor: Visitors) -> None:
    """R26."""
    mallory, ann = visitor("203.0.113.5"), visitor()
    sign_up(mallory, password="chosen by Mallory")

    clicked = ann.post(letter_link(app), password="what Ann tries")
    by_mallory = mallory.sign_in(ANN, "chosen by Mallory")

    assert clicked.status_code == 403
    assert "sign up again" in clicked.get_data(as_text=True)
    assert by_mallory.location == "/sign-in/address"
    assert not mallory.is_in()
    assert scenes.rows("SELECT email_verified_at FROM users") == [{"email_verified_at": None}]


def test_the_true_owner_signs_up_over_a_registration_that_nobody_confirmed(app: Flask, visitor: Visitors) -> None:
    """R26: and the first one's password and link are worth nothing from then on."""
    mallory, ann = visitor("203.0.113.5"), visitor()
    sign_up(mallory, password="chosen by Mallory", full_name="Mallory")
    of_mallory = letter_link(app)
    sign_up(ann)

    old = mallory.get(of_mallory)
    confirmed = ann.post(letter_link(app))

    assert old.status_code == 404
    assert confirmed.location == "/overview"
    assert visitor().sign_in(ANN, "chosen by Mallory").status_code == 403
    assert scenes.rows("SELECT full_name FROM users") == [{"full_name": "Ann"}]


def test_known_and_unknown_addresses_get_the_same_answer_for_the_same_work(
    app: Flask, visitor: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Any] = []
    aside = hashing.aside
    monkeypatch.setattr(hashing, "aside", lambda function, *given: hashed.append(function) or aside(function, *given))
    factories.make_person(email="known@example.com")
    sign_up(visitor(), email="waits@example.com")
    pages, work = set(), []

    for email in ("known@example.com", "waits@example.com", "new@example.com"):
        hashed.clear()
        browser = visitor()
        answer = sign_up(browser, email=email)
        pages.add((answer.status_code, answer.location, browser.get(answer.location).get_data(as_text=True).replace(email, "")))
        work.append((list(hashed), len(mailbox.kinds(email)) > 0))

    assert len(pages) == 1
    assert work == [([accounts.hash_password], True)] * 3
    assert mailbox.kinds("known@example.com") == ["already_registered"]
    assert scenes.rows("SELECT count(*) AS n FROM users") == [{"n": 3}]
    [known] = scenes.rows("SELECT password_hash FROM users WHERE email = 'known@example.com'")
    assert accounts.password_matches(known["password_hash"], factories.PASSWORD)


@pytest.mark.parametrize(
    "extra",
    [
        {"role": "admin"}, {"is_verified": "1", "email_verified_at": "2026-01-01"}, {"account_id": "x", "user_id": "x"},
        {"balance": "100", "settled_nano": "100", "trial_credit_usd": "100"},
    ],
    ids=lambda extra: next(iter(extra)),
)  # fmt: skip
def test_fields_that_the_form_does_not_have_do_nothing(app: Flask, visitor: Visitors, extra: dict[str, str]) -> None:
    """R24: mass assignment."""
    browser = visitor()

    sign_up(browser, **extra)

    [user] = scenes.rows("SELECT role, email_verified_at FROM users")
    assert (user["role"], user["email_verified_at"]) == (Role.CUSTOMER, None)
    assert scenes.rows("SELECT settled_nano FROM balances") == [{"settled_nano": 0}]
    assert not browser.is_in()


def test_the_right_password_of_somebody_unconfirmed_leads_to_another_letter_and_no_further(app: Flask, visitor: Visitors) -> None:
    sign_up(visitor())
    old, browser = letter_link(app), visitor("198.51.100.1")

    wrong, right = browser.sign_in(ANN, "wrong password"), browser.sign_in(ANN, PASSWORD)
    is_in = [browser.is_in(path) for path in ("/settings", "/overview")]
    sent = browser.post("/sign-in/address")
    confirmed = browser.post(letter_link(app))

    assert (wrong.status_code, right.location, sent.location) == (403, "/sign-in/address", "/sign-in/address")
    assert "Confirm" not in wrong.get_data(as_text=True)
    assert is_in == [False, False]
    assert visitor().get(old).status_code == 404, "a newer link voids the older one"
    assert confirmed.location == "/overview"


def test_another_letter_needs_the_password_first(app: Flask, visitor: Visitors) -> None:
    sign_up(visitor())

    answer = visitor().post("/sign-in/address", seen="/sign-in")

    assert answer.location == "/sign-in"
    assert mailbox.kinds(ANN) == ["verify_address"]


def test_no_mailbox_is_flooded_and_no_network_floods_many(app: Flask, visitor: Visitors) -> None:
    """Counted together with letters about lost passwords, alike for known and unknown addresses."""
    factories.make_person(email=ANN)
    statuses = [visitor().post("/reset", email=email).status_code for email in (ANN, "nobody@example.com") for _ in range(6)]
    by_sign_up = sign_up(visitor())
    from_here = [visitor().post("/reset", email=f"{number}@example.com").status_code for number in range(21)]

    assert statuses == ([302] * 5 + [429]) * 2
    assert by_sign_up.status_code == 429
    assert int(by_sign_up.headers["Retry-After"]) > 0
    assert from_here == [302] * 20 + [429]


def test_whoever_asks_for_many_letters_to_a_mailbox_keeps_nobody_else_from_theirs(app: Flask, visitor: Visitors) -> None:
    """R31: neither a browser of its owner nor one that nobody knows."""
    person, owner = factories.make_person(email=ANN), visitor()
    owner.sign_in(person.email)
    owner.post("/sign-out", seen="/overview")
    flood = [visitor(f"203.0.113.{network}").post("/reset", email=ANN).status_code for network in range(8) for _ in range(5)]

    from_elsewhere = [visitor("198.51.100.9").post("/reset", email=ANN).status_code for _ in range(2)]
    by_owner = [owner.post("/reset", email=ANN).status_code for _ in range(6)]

    assert flood.count(429) == 4, "what is beyond two letters of each network fills one count of twenty"
    assert from_elsewhere == [302, 302]
    assert by_owner == [302] * 5 + [429]


def test_names_are_shown_as_names_and_never_stand_in_letters(app: Flask, visitor: Visitors) -> None:
    """Stored XSS; and nobody advertises to strangers through our letters."""
    browser, name = visitor(), "<script>alert(1)</script> buy\r\nat \u202eevil.example"

    sign_up(browser, full_name=name, company='"><img src=x onerror=alert(1)>')
    browser.post(letter_link(app))
    page = browser.get("/overview").get_data(as_text=True)

    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; buy at evil.example" in page
    assert "evil" not in str(scenes.rows("SELECT facts FROM letters"))


def test_a_session_planted_before_is_not_the_one_that_confirming_opens(app: Flask, visitor: Visitors) -> None:
    """R26: fixation."""
    ann, mallory = visitor(), visitor("203.0.113.5")
    mallory.get("/sign-up")
    sign_up(mallory, email="mallory@example.com")
    ann.put_cookie(mallory.cookie() or "")
    sign_up(ann)

    ann.post(letter_link(app))
    mallory_is_in = mallory.is_in()

    assert ann.is_in()
    assert not mallory_is_in


def test_confirming_signs_out_whoever_was_signed_in_in_this_browser(app: Flask, visitor: Visitors) -> None:
    browser, other = visitor(), factories.make_person()
    sign_up(browser)
    link = letter_link(app)
    browser.client.get("/sign-in")
    browser.sign_in(other.email)

    confirmed = browser.post(link, password=PASSWORD)

    assert confirmed.location == "/overview"
    assert scenes.rows("SELECT email FROM sessions JOIN users ON users.id = user_id") == [{"email": ANN}]


def test_two_clicks_at_once_confirm_once(app: Flask, visitor: Visitors) -> None:
    browser = visitor()
    sign_up(browser)
    link, same = letter_link(app), [visitor() for _ in range(3)]
    for again in same:
        again.put_cookie(browser.cookie() or "")
    waiting = iter([(again, again.token_on(link)) for again in same])

    def click() -> int:
        again, token = next(waiting)
        return again.send(link, token).status_code

    answers = scenes.in_threads(3, click)

    assert sorted(answers) == [302, 404, 404]
    assert len(scenes.rows("SELECT * FROM staff_actions WHERE action = 'user.verify_address'")) == 1


def test_signing_up_at_once_with_one_address_makes_one_person_and_one_link(
    app: Flask, visitor: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "aside", lambda function, *given: function(*given))  # its queue is for greenlets, not for threads

    answers = scenes.in_threads(4, lambda: sign_up(visitor()).status_code)

    assert answers == [302] * 4
    assert scenes.rows("SELECT count(*) AS n FROM users") == [{"n": 1}]
    assert scenes.rows("SELECT count(*) AS n FROM links") == [{"n": 1}]
    assert mailbox.kinds(ANN) == ["verify_address"] * 4


@pytest.mark.parametrize("token", ["x", "a" * 43, "..%2Fadmin"])
@pytest.mark.parametrize("path", ["/verify/", "/reset/", "/address/"])
def test_a_link_that_does_not_work_says_what_to_do(app: Flask, visitor: Visitors, path: str, token: str) -> None:
    answer = visitor().get(path + token)

    assert answer.status_code == 404
    assert "does not work" in answer.get_data(as_text=True) or "%2F" in token


def test_a_day_later_the_link_does_not_work_and_the_way_to_a_new_one_is_shown(
    app: Flask, visitor: Visitors, clock: time_machine.Traveller
) -> None:
    browser = visitor()
    sign_up(browser)
    link = letter_link(app)

    clock.shift(24 * 3600 + 60)
    page = browser.get(link)

    assert page.status_code == 404
    assert 'href="/sign-in"' in page.get_data(as_text=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "ann"}, "That is not an e-mail address."),
        ({"password": "short"}, "Field must be between"),
        ({"full_name": ""}, "Type your name."),
        ({"full_name": "x" * 201}, "Field cannot be longer"),
    ],
)
def test_what_is_wrong_is_said_at_the_field(app: Flask, visitor: Visitors, fields: dict[str, str], words: str) -> None:
    answer = sign_up(visitor(), **fields)

    assert answer.status_code == 400
    assert words in answer.get_data(as_text=True)
    assert scenes.rows("SELECT * FROM users") == []


def test_whoever_is_signed_in_is_sent_on(app: Flask, visitor: Visitors) -> None:
    browser = visitor()
    browser.sign_in(factories.make_person().email)

    assert browser.get("/sign-up").location == "/overview"


def test_trial_credit_comes_with_the_confirmation_and_not_before(make_app: Callable[..., Flask], visitor: Visitors) -> None:
    app = make_app(TRIAL_CREDIT_USD="5")
    with app.app_context():
        browser = visitor(of=app)
        sign_up(browser)
        before = scenes.rows("SELECT settled_nano FROM balances")

        browser.post(letter_link(app))

        assert before == [{"settled_nano": 0}]
        assert scenes.rows("SELECT settled_nano FROM balances") == [{"settled_nano": 5 * 10**9}]
        assert "$5.00" in browser.get("/overview").get_data(as_text=True)


def test_development_says_where_the_letter_is_and_production_does_not(make_app: Callable[..., Flask], visitor: Visitors) -> None:
    at_home = make_app(RESELLER_ENV="development", SECRET_KEY="s" * 40)
    outside = make_app(RESELLER_ENV="testing")

    pages = []
    for app in (at_home, outside):
        browser = visitor(of=app)
        pages.append(browser.get(sign_up(browser).location).get_data(as_text=True))

    assert ["/mail/" in page for page in pages] == [True, False]


def test_terms_are_named_where_the_brand_has_some(make_app: Callable[..., Flask], visitor: Visitors) -> None:
    app = make_app(BRAND_TERMS_URL="https://acme.example/terms")

    assert 'agree to our <a href="https://acme.example/terms"' in visitor(of=app).get("/sign-up").get_data(as_text=True)
