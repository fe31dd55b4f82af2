"""/settings/notifications: what somebody chose is shown again, and decides what the worker writes (R23)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from reseller.clock import now
from reseller.domain import letters, notices
from reseller.domain.letters import Claimed, LetterKind
from reseller.domain.notices import Choices
from reseller.portal.forms import NO_DOLLARS
from reseller.wiring import wiring_of
from reseller.worker import wording
from tests import factories
from tests.portal.visitor import Visitor

Visitors = Callable[..., Visitor]
PATH = "/settings/notifications"


def test_choices_are_saved_and_shown(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(), visitor()
    browser.sign_in(person.email)
    before = browser.get(PATH).get_data(as_text=True)

    answer = browser.post(PATH, tells_low_balance="y", low_balance_usd=" 12.50 ", version="0")

    page = browser.get(PATH).get_data(as_text=True)
    assert answer.location == PATH
    assert (before.count(" checked"), 'value="5"' in before) == (2, True)
    assert (page.count(" checked"), 'value="12.5"' in page) == (1, True)
    assert notices.choices_of(person.user_id) == Choices(Decimal("12.5"), False, 1)


def test_no_letters_at_all_needs_no_amount(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(), visitor()
    browser.sign_in(person.email)

    answer = browser.post(PATH, low_balance_usd="nonsense", version="0")

    assert answer.location == PATH
    assert notices.choices_of(person.user_id) == Choices(None, False, 1)


@pytest.mark.parametrize("amount", ["", "five", "-1", "0", "1e3", "NaN", "1000001", "1" * 400])
def test_an_amount_that_is_none_is_said_beside_its_field(app: Flask, visitor: Visitors, amount: str) -> None:
    person, browser = factories.make_person(), visitor()
    browser.sign_in(person.email)

    answer = browser.post(PATH, tells_low_balance="y", low_balance_usd=amount, user_id="x")

    assert answer.status_code == 400
    assert "low_balance_usd-errors" in answer.get_data(as_text=True)
    assert notices.choices_of(person.user_id) == Choices()


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        (LetterKind.LOW_BALANCE, {"balance": "$4.99", "line": "$5.00"}, ["was $4.99 on", "/billing", PATH]),
        (LetterKind.KEY_EXPIRES, {"key": "sk_live_abcd…", "day": "2 December 2026"}, ["sk_live_abcd…", "/keys", PATH]),
    ],
)
def test_letters_say_what_happened_and_where_they_are_switched_off(
    app: Flask, kind: LetterKind, facts: dict[str, str], words: list[str]
) -> None:
    letters.write(kind, "ann@example.com", facts=facts)
    [letter] = letters.claim_due(1)
    assert isinstance(letter, Claimed)

    written = wording.of(letter, wiring_of(app).settings, link="", until=now() + timedelta(hours=1))

    assert all(word in written.text for word in words)
    assert next(iter(facts.values())) in written.subject or facts["line"] in written.subject


def test_amounts_are_read_the_same_way_everywhere(app: Flask, visitor: Visitors) -> None:
    """With a $ before them or without, and what is wrong is said in the same words."""
    person, browser = factories.make_person(), visitor()
    browser.sign_in(person.email)

    browser.post(PATH, tells_low_balance="y", low_balance_usd="$12.50", version="0")
    said = [
        browser.post(PATH, tells_low_balance="y", low_balance_usd="1,5", version="1").text,
        browser.post("/keys/new", name="x", kind="test", expires="never", limit="1,5").text,
    ]

    assert notices.choices_of(person.user_id).low_balance_usd == Decimal("12.5")
    assert all(NO_DOLLARS.partition(";")[0] in text for text in said)
