"""One stream of everything that happened: nothing twice, nothing lost between pages."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.domain import accounts, keys, limits, notes
from reseller.domain.accounts import Person, Role
from reseller.domain.desk.timeline import WORDS, timeline
from reseller.domain.ledger import AdjustmentDraft, adjustments, posting
from reseller.domain.outbox import EVENTS
from reseller.errors import NotFound
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes

DOMAIN = Path(__file__).parents[3] / "reseller" / "domain"


@pytest.fixture
def customer(app: Flask) -> Person:
    """Somebody to whom each kind of thing has happened once."""
    who = factories.make_person(usd="10")
    _, key = factories.mint_key(who)
    op = scenes.admission(scenes.Customer(who.account_id, key.id))
    till = wiring_of(app).till
    till.admit(op)
    till.settle(scenes.settlement(op))
    notes.add(new_id(), who.account_id, "called us", actor="user:1")
    limits.change(who.account_id, {"rpm": 5}, actor="user:1", reason="calm down")
    accounts.suspend(who.account_id, reason="abuse", actor="user:1")
    keys.revoke(str(key.id), actor="user:1", reason="leaked")
    support = factories.make_person(role=Role.SUPPORT)
    caps = {Role.SUPPORT: Decimal(50)}
    adjustments.request(AdjustmentDraft(new_id(), who.account_id, Decimal(3), "sorry"), support.user_id, caps)
    adjustments.request(AdjustmentDraft(new_id(), who.account_id, Decimal(300), "very sorry"), support.user_id, caps)
    return who


def titles(customer: Person, **where: Any) -> list[str]:
    return [line.title for line in timeline(customer.account_id, **where).lines]


def test_everything_appears_once_newest_first(customer: Person) -> None:
    factories.make_person(usd="1")  # somebody else's are not here

    assert titles(customer) == [
        "Adjustment asked for, above the cap",
        "Adjustment",
        "Key revoked",
        "Suspended",
        "Limits changed",
        "Note",
        "First call",
        "Key made",
        "Adjustment",
        "Registered",
    ]


def test_the_charges_of_days_are_left_to_the_ledger(customer: Person, app: Flask) -> None:
    before = titles(customer)

    assert posting.post_usage_day(customer.account_id, now().date() + timedelta(days=1))
    assert titles(customer) == before


def test_every_action_has_words_for_people() -> None:
    """Found in the sources as anybody would look for them: actions on a person, a key, an account."""
    sources = "".join(path.read_text() for path in DOMAIN.rglob("*.py"))
    actions = set(re.findall(r'"((?:user|account|key|limits|adjustment)\.[a-z_]+)"', sources))

    assert len(actions) > 10
    assert actions - WORDS.keys() - EVENTS.keys() == set()


def test_lines_say_why_and_from_what_to_what(customer: Person) -> None:
    lines = {line.title: line for line in timeline(customer.account_id).lines}

    assert (lines["Suspended"].words, lines["Suspended"].changes) == ("abuse", (("status", "active", "suspended"),))
    assert lines["Limits changed"].changes == (("requests per minute", "300", "5"),)
    assert lines["Key revoked"].words == "leaked"
    assert lines["Note"].words == "called us"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_follow_each_other_without_a_gap(customer: Person, size: int) -> None:
    whole, before, collected = titles(customer), None, []
    while True:
        page = timeline(customer.account_id, before=before, lines=size)
        collected += [line.title for line in page.lines]
        before = page.older
        if before is None:
            break

    assert collected == whole


@pytest.mark.parametrize(
    "before",
    ["x", "_", "2026-01-01_x", "2026-01-01T00:00:00_01a2146c-7d1e-73ea-a979-02ac60ecb5fe", "９_01a2146c-7d1e-73ea-a979-02ac60ecb5fe"],
)
def test_a_place_that_is_none_is_not_found(customer: Person, before: str) -> None:
    with pytest.raises(NotFound):
        timeline(customer.account_id, before=before)


def test_every_action_that_is_written_here_has_words(customer: Person) -> None:
    """An action without words of its own still reads as a sentence."""
    scenes.execute("UPDATE staff_actions SET action = 'webhook_endpoint.rotate' WHERE action = 'account.suspend'")

    assert "Webhook endpoint rotate" in titles(customer)
