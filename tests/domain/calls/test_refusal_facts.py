"""A refused call's row says which limit or hold refused it, in numbers, and holds nothing that a customer wrote."""

import json
from typing import Any

import pytest

from reseller.domain.calls import Till, facts_of
from reseller.domain.keys import SpendPeriod
from reseller.domain.ledger import EntryKind
from reseller.errors import InvalidRequest
from reseller.money import to_usd
from tests.domain import scenes


def facts_of_refusal(till: Till, op: Any) -> dict[str, Any]:
    """What the row of this refused call remembers, without the wait, which is the machine's."""
    scenes.refused(till, op)
    [row] = scenes.rows("SELECT response_metadata FROM usage_logs WHERE id = :id", id=op.call_id)
    told: dict[str, Any] = row["response_metadata"]
    assert told.pop("refused_ms") >= 0
    return told


@pytest.mark.parametrize("window", ["minute", "hour", "day"])
def test_a_full_window_is_named_with_its_limit_use_and_wait(till: Till, window: str) -> None:
    who = scenes.customer(limits={f"requests_per_{window}": 2})
    for _ in range(2):
        till.admit(scenes.admission(who))

    told = facts_of_refusal(till, scenes.admission(who))

    assert 0 < told.pop("retry_after_seconds") <= {"minute": 61, "hour": 3660, "day": 87_840}[window]
    assert told == {"window": window, "limit": 2, "used": 2}


def test_calls_in_flight_are_counted(till: Till) -> None:
    who = scenes.customer(limits={"concurrent_requests": 1})
    till.admit(scenes.admission(who))

    assert facts_of_refusal(till, scenes.admission(who)) == {"what": "calls", "limit": 1, "in_flight": 1, "retry_after_seconds": 1.0}


def test_money_that_is_missing_is_told_exactly(till: Till) -> None:
    """R16: decimal strings, to the nano-dollar."""
    who = scenes.customer(nano=99)

    assert facts_of_refusal(till, scenes.admission(who)) == {"needed_usd": "0.0000001", "available_usd": "0.000000099"}


def test_a_keys_spend_limit_is_told_with_what_is_left_of_it(till: Till) -> None:
    who = scenes.customer(spend=(to_usd(150), SpendPeriod.DAY))
    op = scenes.admission(who)
    till.admit(op)

    told = facts_of_refusal(till, scenes.admission(who))

    assert told == {"period": "day", "limit_usd": "0.00000015", "left_usd": "0.00000005", "needed_usd": "0.0000001"}


def test_a_balance_below_zero_is_told(till: Till) -> None:
    who = scenes.customer(nano=100)
    scenes.put_in(who, -150, kind=EntryKind.REFUND)

    assert facts_of_refusal(till, scenes.admission(who)) == {"available_usd": "-0.00000005"}


def test_too_long_an_answer_is_told_with_the_accounts_limit(till: Till) -> None:
    who = scenes.customer(limits={"max_tokens_per_request": 50})

    assert facts_of_refusal(till, scenes.admission(who)) == {"param": "max_tokens", "limit": 50, "asked": 100}


def test_the_message_of_a_refusal_is_not_kept(till: Till) -> None:
    """R37: messages may quote what the customer wrote; facts never do."""
    who = scenes.customer()
    facts = facts_of(scenes.admission(who))

    till.record(facts, InvalidRequest("'my secret words' is not a role", param="messages[0]"))

    [row] = scenes.usage(who)
    assert row["response_metadata"].keys() == {"param", "refused_ms"}
    assert "secret words" not in json.dumps(row, default=str)


def test_a_call_that_is_let_in_asks_no_refusal_for_its_facts(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the explanation is worked out on the way of a paid call."""
    asked: list[str] = []
    monkeypatch.setattr("reseller.errors.Refusal.facts", property(lambda _: asked.append("facts") or {}))
    monkeypatch.setattr("reseller.domain.calls.batch.now", lambda: asked.append("clock"))
    who = scenes.customer()
    op = scenes.admission(who)

    till.admit(op)
    till.settle(scenes.settlement(op))

    assert asked == []
