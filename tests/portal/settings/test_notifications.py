"""/settings/notifications: what somebody chose is shown again, and decides what the worker writes (R23)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from reseller.clock import now
from reseller.domain import letters, notices
from reseller.domain.letters import Claimed, LetterKind
from reseller.domain.notices import Choices
from reseller.web.typed import NO_DOLLARS
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

    answer = browser.post(PATH, tells_alerts="y", version="0")

    page = browser.get(PATH).get_data(as_text=True)
    assert answer.location == PATH
    assert (before.count(" checked"), page.count(" checked")) == (2, 1)
    assert 'href="/settings/alerts"' in page
    assert notices.choices_of(person.user_id) == Choices(True, False, 1)


def test_no_letters_at_all_is_a_choice(app: Flask, visitor: Visitors) -> None:
    person, browser = factories.make_person(), visitor()
    browser.sign_in(person.email)

    answer = browser.post(PATH, version="0")

    assert answer.location == PATH
    assert notices.choices_of(person.user_id) == Choices(False, False, 1)


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        (LetterKind.LOW_BALANCE, {"balance": "$4.99", "line": "$5.00"}, ["was $4.99 on", "/billing", PATH]),
        (
            LetterKind.BUDGET_CROSSED,
            {"spent": "$4.99", "budget": "$4.00", "span": "on 27 November 2026", "about": "of your account"},
            ["charged $4.99 on 27 November 2026 (UTC)", "/settings/alerts", PATH],
        ),
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

    said = [
        browser.post("/settings/alerts", kind="balance_amount", line="1,5").text,
        browser.post("/keys/new", name="x", kind="test", expires="never", limit="1,5").text,
    ]

    assert all(NO_DOLLARS.partition(";")[0] in text for text in said)
