"""One call, told by its id: charged, refused, in flight, waiting for its cost."""

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id, now
from reseller.domain import ledger
from reseller.domain.calls import Note, PriceTerms, Till, processes
from reseller.domain.desk.call_story import IN_FLIGHT, WAITING_FOR_COST, CallStory, story_of
from reseller.domain.usage import CostSource
from reseller.errors import NotFound
from reseller.metering import Usage
from reseller.money import to_usd
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes

MARKS = {"admitted_ms": 3.5, "sent_ms": 4.0, "first_byte_ms": 410.25, "ended_ms": 900.0, "finish_reason": "stop"}


def charged(till: Till, who: scenes.Customer, terms: PriceTerms, **changes: Any) -> CallStory:
    """A call of 7 tokens in at $1 and 3 out at $2 a million, billed at $0.00002."""
    op = scenes.admission(who, hold=50_000, terms=terms)
    till.admit(op)
    facts = {"cost_usd": Decimal("0.00002"), "response_metadata": MARKS, "usage": Usage(prompt_tokens=7, completion_tokens=3)}
    till.settle(scenes.settlement(op, 25_000, **(facts | changes)))
    return story_of(op.call_id)


def test_a_charged_call_tells_how_it_came_to_its_charge(till: Till, terms: PriceTerms) -> None:
    story = charged(till, scenes.customer(nano=1_000_000), terms)

    assert story.bill is not None
    assert [(line.kind, line.amount_usd) for line in story.bill.lines] == [
        ("prompt", Decimal("0.000007")),
        ("completion", Decimal("0.000006")),
        ("difference", Decimal("0.000007")),
        ("markup", Decimal("0.000005")),
    ]
    assert story.charge_usd == story.bill.lines[-1].sum_usd == to_usd(25_000)
    assert (story.bill.kept_usd, story.bill.kept_percent) == (Decimal("0.000005"), Decimal(20))
    assert story.hold_usd == to_usd(50_000)
    assert (story.refusal, story.running, story.no_charge) == (None, None, None)


def test_it_names_its_rule_and_price_version(till: Till, terms: PriceTerms) -> None:
    story = charged(till, scenes.customer(nano=1_000_000), terms)
    factories.make_rule(pattern="acme/one", priority=9)  # what came later changes nothing

    assert story.terms is not None
    assert (story.terms.rule_id, story.terms.pattern, story.terms.is_active) == (terms.rule_id, "acme/*", True)
    assert (story.terms.price_version, story.terms.version_reason) == (terms.price_version, "rule added: acme/*")


def test_its_steps_are_in_order_with_what_each_took(till: Till, terms: PriceTerms) -> None:
    story = charged(till, scenes.customer(nano=1_000_000), terms)

    assert [step.name for step in story.timeline] == ["received", "admitted", "sent", "first byte", "ended", "settled"]
    assert [step.at_ms for step in story.timeline[:5]] == [0, 3.5, 4.0, 410.25, 900.0]
    assert story.timeline[3].took_ms == 406.25


def test_a_charge_of_today_is_not_posted_yet_and_one_of_yesterday_is(till: Till, terms: PriceTerms) -> None:
    who = scenes.customer(nano=1_000_000)
    first = charged(till, who, terms)
    assert first.posting is not None
    assert (first.posting.day, first.posting.entry_id) == (now().date(), None)
    scenes.make_it_yesterday(who)

    ledger.post_usage_day(who.account_id, now().date())

    posting = story_of(first.id).posting
    assert posting is not None
    assert (posting.sequence, posting.entry_usd) == (2, to_usd(-25_000))


def test_an_estimate_is_limited_to_the_hold_and_says_so(till: Till, terms: PriceTerms) -> None:
    """R9."""
    facts = {"cost_usd": Decimal("0.00008"), "cost_source": CostSource.ESTIMATE, "at_most_hold": True, "charge_nano": 100_000}

    story = charged(till, scenes.customer(nano=1_000_000), terms, flag="estimate", **facts)

    assert story.bill is not None
    assert (story.bill.lines[-1].kind, story.bill.lines[-1].amount_usd) == ("limited", Decimal("-0.00005"))
    assert story.charge_usd == story.hold_usd
    assert "estimate" in story.bill.cost_source
    assert story.flag_words


def test_a_failed_call_says_why_nothing_was_charged(till: Till, terms: PriceTerms) -> None:
    who = scenes.customer()
    op = scenes.admission(who, terms=terms)
    till.admit(op)
    till.settle(scenes.failure(op))

    story = story_of(op.call_id)

    assert (story.charge_usd, story.bill, story.posting) == (0, None, None)
    assert "no usable answer" in (story.no_charge or "")


def test_a_test_key_pays_nothing_and_sees_the_arithmetic(till: Till, terms: PriceTerms) -> None:
    story = charged(till, scenes.customer(is_test=True), terms)

    assert story.bill is not None
    assert (story.bill.lines[-1].kind, story.bill.lines[-1].sum_usd) == ("test", 0)


def test_a_refused_call_says_which_limit_and_what_would_help(till: Till) -> None:
    who = scenes.customer(limits={"requests_per_hour": 1})
    till.admit(scenes.admission(who))
    op = scenes.admission(who)
    scenes.refused(till, op)

    story = story_of(op.call_id)

    assert story.refusal is not None
    assert "1 request per hour, of which 1 had been used" in story.refusal.sentence
    assert story.refusal.help
    assert [step.name for step in story.timeline] == ["received", "refused"]


def test_a_call_in_flight_says_whose_it_is(app: Flask, till: Till, terms: PriceTerms) -> None:
    me = wiring_of(app).process_id
    processes.beat(me, "web")
    op = scenes.admission(scenes.customer(), terms=terms, process_id=me)
    till.admit(op)

    story = story_of(op.call_id)

    assert (story.status, story.charge_usd, story.hold_usd) == (IN_FLIGHT, None, to_usd(100))
    assert story.running is not None
    assert (story.running.is_silent, (story.running.process or "").partition(" ")[0]) == (False, "web")


def test_a_call_whose_owner_has_no_row_is_said_to_be_lost(till: Till, terms: PriceTerms) -> None:
    op = scenes.admission(scenes.customer(), terms=terms)
    till.admit(op)

    running = story_of(op.call_id).running

    assert running is not None
    assert (running.process, running.is_silent) == (None, True)


def test_an_answer_that_has_ended_waits_for_its_cost(till: Till, terms: PriceTerms) -> None:
    op = scenes.admission(scenes.customer(), terms=terms)
    till.admit(op)
    till.pend(Note(op.call_id, "gen-1", {"status": "completed", "charge_nano": 70, "response_metadata": MARKS}))

    story = story_of(op.call_id)

    assert (story.status, story.generation_id, story.finish_reason) == (WAITING_FOR_COST, "gen-1", "stop")
    assert story.running is not None
    assert story.running.estimate_usd == to_usd(70)
    assert [step.name for step in story.timeline][-1] == "ended"


def test_nobodys_id_is_not_found(app: Flask) -> None:
    with pytest.raises(NotFound):
        story_of(new_id())
