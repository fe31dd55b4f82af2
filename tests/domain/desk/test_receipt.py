"""A receipt says what a call was charged, line by line in sell prices, and nothing of what it cost us (R7, R23)."""

import dataclasses
import re
from decimal import Decimal
from typing import Any

import pytest

from reseller.clock import new_id
from reseller.database import acting_for
from reseller.domain.calls import PriceTerms, Till, facts_of
from reseller.domain.desk.receipt import Receipt, receipt_of
from reseller.domain.desk.refusal_words import WORDS
from reseller.domain.desk.refusals_told import TOO_LONG, VOCABULARY, in_short, refusal_told
from reseller.domain.usage import CallStatus, CostSource
from reseller.errors import InsufficientBalance, NotFound
from reseller.metering import Usage
from reseller.money import to_usd
from tests.domain import scenes

MARKS = {"admitted_ms": 3.5, "sent_ms": 4.0, "first_byte_ms": 410.25, "ended_ms": 900.0, "finish_reason": "stop"}
OUR_WORDS = re.compile(r"upstream|openrouter|margin|markup|the account|customer", re.IGNORECASE)


def charged(till: Till, who: scenes.Customer, terms: PriceTerms, charge: int = 25_000, **changes: Any) -> Receipt:
    """A call of 7 tokens in at $1 and 3 out at $2 a million, billed at $0.00002."""
    op = scenes.admission(who, hold=50_000, terms=terms)
    till.admit(op)
    facts = {"cost_usd": Decimal("0.00002"), "response_metadata": MARKS, "usage": Usage(prompt_tokens=7, completion_tokens=3)}
    till.settle(scenes.settlement(op, charge, **(facts | changes)))
    return receipt_of(who.account_id, op.call_id)


def test_lines_in_sell_prices_add_up_to_the_charge(till: Till, terms: PriceTerms) -> None:
    receipt = charged(till, scenes.customer(nano=1_000_000), terms)

    assert [(line.kind, line.amount_usd) for line in receipt.lines] == [
        ("prompt", Decimal("0.00000875")),
        ("completion", Decimal("0.0000075")),
        ("difference", Decimal("0.00000875")),
    ]
    assert sum(line.amount_usd for line in receipt.lines) == receipt.charge_usd == to_usd(25_000)
    assert (receipt.held_usd, receipt.released_usd) == (to_usd(50_000), to_usd(25_000))
    assert (receipt.first_byte_ms, receipt.ended_ms, receipt.finish_reason) == (410.25, 900.0, "stop")
    assert receipt.refusal is None


@pytest.mark.parametrize("status", [CallStatus.PARTIAL, CallStatus.ABANDONED])
def test_what_broke_off_has_its_lines_too(till: Till, terms: PriceTerms, status: CallStatus) -> None:
    receipt = charged(till, scenes.customer(nano=1_000_000), terms, status=status)

    assert receipt.status == status
    assert sum(line.amount_usd for line in receipt.lines) == receipt.charge_usd


def test_a_call_with_a_test_key_says_why_it_costs_nothing(till: Till, terms: PriceTerms) -> None:
    receipt = charged(till, scenes.customer(nano=1_000_000, is_test=True), terms, charge=0)

    assert receipt.charge_usd == 0
    assert receipt.lines[-1].label == "not charged: a test key"
    assert sum(line.amount_usd for line in receipt.lines) == 0


def test_an_estimate_says_so(till: Till, terms: PriceTerms) -> None:
    receipt = charged(till, scenes.customer(nano=1_000_000), terms, cost_source=CostSource.ESTIMATE)

    assert receipt.is_estimate


def test_a_running_call_shows_what_is_held(till: Till, terms: PriceTerms) -> None:
    who = scenes.customer(nano=1_000_000)
    op = scenes.admission(who, hold=70, terms=terms)
    till.admit(op)

    receipt = receipt_of(who.account_id, op.call_id)

    assert (receipt.status, receipt.is_over, receipt.charge_usd, receipt.held_usd) == (None, False, None, to_usd(70))
    assert receipt.released_usd is None


def test_a_refusal_names_its_figures_and_what_helps(till: Till) -> None:
    who = scenes.customer(nano=5)
    op = scenes.admission(who)
    till.record(facts_of(op), InsufficientBalance("", available_usd=to_usd(5), needed_usd=to_usd(100)))

    receipt = receipt_of(who.account_id, op.call_id)

    assert receipt.status == CallStatus.REFUSED
    assert (receipt.held_usd, receipt.charge_usd, receipt.lines) == (0, 0, ())
    assert receipt.refusal is not None
    assert "$0.0000001" in receipt.refusal.sentence
    assert "Top up" in receipt.refusal.help


def test_nobody_opens_the_receipt_of_another(till: Till, terms: PriceTerms) -> None:
    """R23: both walls, each alone; a running call as well as an ended one."""
    mine, theirs = scenes.customer(), scenes.customer(nano=1_000_000)
    ended = charged(till, theirs, terms).id
    running = scenes.admission(theirs, terms=terms)
    till.admit(running)

    for call_id in (ended, running.call_id, new_id()):
        with pytest.raises(NotFound):
            receipt_of(mine.account_id, call_id)
        with acting_for(mine.account_id), pytest.raises(NotFound):
            receipt_of(theirs.account_id, call_id)


def test_no_field_holds_what_a_call_cost_us() -> None:
    """So no template can show it."""
    fields = {field.name for field in dataclasses.fields(Receipt)}

    assert not {name for name in fields if re.search("cost|margin|markup|upstream|generation|overage|rule", name)}


def test_customers_have_words_for_every_refusal_that_staff_have_words_for() -> None:
    assert VOCABULARY.keys() == WORDS.keys()
    assert [code for code in VOCABULARY if in_short(code) in ("", code)] == [], "Give the new refusal its words for a list, too"


@pytest.mark.parametrize("code", VOCABULARY)
def test_words_for_customers_speak_of_nothing_of_our_house(code: str) -> None:
    for words in (VOCABULARY[code], TOO_LONG):
        told = " ".join((words.title, words.told, words.plain, words.help))

        assert not OUR_WORDS.search(told), told
        assert words.help


def test_a_code_without_words_is_named() -> None:
    assert "odd_code" in refusal_told("odd_code", {}).sentence
