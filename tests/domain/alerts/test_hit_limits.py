"""Limits that were hit: found in what was refused, told once an hour for each account, key and limit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from flask import Flask

from reseller.clock import new_id, now
from reseller.database import acting_as_operator
from reseller.domain import alerts
from reseller.domain.calls import Till
from reseller.domain.keys import SpendPeriod
from reseller.errors import Refusal
from reseller.wiring import wiring_of
from tests.domain import scenes
from tests.domain.scenes import Customer
from tests.domain.usage import calls


@pytest.fixture
def till(app: Flask) -> Iterator[Till]:
    """The app's context, as the operator."""
    return wiring_of(app).till


def ask(till: Till, who: Customer, count: int = 1, **facts: Any) -> list[str]:
    """So many calls in a row; the codes of those that were refused."""
    answers = [scenes.in_one_commit(till, [scenes.admission(who, **facts)])[0] for _ in range(count)]
    return [answer.code for answer in answers if isinstance(answer, Refusal)]


def told(who: Customer) -> list[dict[str, Any]]:
    query = "SELECT payload FROM outbox WHERE account_id = :id AND name = 'limit.hit' ORDER BY position"
    return [row["payload"] for row in scenes.rows(query, id=who.account_id)]


def pass_time(minutes: int) -> None:
    """What was refused and told is older by so much: time as the database's clock has it."""
    scenes.execute("UPDATE usage_logs SET settled_at = settled_at - make_interval(mins => :minutes)", minutes=minutes)
    scenes.execute("UPDATE event_marks SET told_at = told_at - make_interval(mins => :minutes)", minutes=minutes)


def test_a_full_window_is_told_once_however_many_calls_it_refused(till: Till) -> None:
    who = scenes.customer(limits={"requests_per_minute": 2})
    refused = ask(till, who, 12)

    events = [alerts.tell_of_hits() for _ in range(3)]

    assert (refused, events) == (["rate_limit_exceeded"] * 10, [1, 0, 0])
    [payload] = told(who)
    assert payload.pop("refused_at") == scenes.rows("SELECT max(created_at) AS at FROM usage_logs")[0]["at"].isoformat()
    assert payload == {"limit": "requests_per_minute", "allowed": "2", "error_code": "rate_limit_exceeded", "key_id": None}


def test_each_limit_and_key_is_told_by_itself(till: Till) -> None:
    at_once = scenes.customer(limits={"concurrent_requests": 1})
    spender = scenes.customer(nano=10**9, spend=(Decimal("0.000001"), SpendPeriod.MONTH))
    ask(till, at_once, 2)
    ask(till, spender, hold=5_000)

    assert alerts.tell_of_hits() == 2

    [payload] = told(at_once)
    assert (payload["limit"], payload["allowed"], payload["key_id"]) == ("concurrent_requests", "1", None)
    [payload] = told(spender)
    assert (payload["limit"], payload["allowed"], payload["key_id"]) == ("key_spend_month", "0.000001", str(spender.key_id))


def test_what_is_refused_for_other_reasons_is_no_limit(till: Till) -> None:
    poor, other = scenes.customer(nano=10), scenes.customer()
    assert ask(till, poor) == ["insufficient_credits"]
    assert ask(till, other, terms=replace(scenes.RULE_TERMS, price_version=-1)) == ["stale_prices"]

    assert alerts.tell_of_hits() == 0


def test_it_is_told_again_after_an_hour_if_it_is_hit_then(till: Till) -> None:
    """Guard: an account that stands at its limit all day has a message an hour, and one that has stopped none."""
    who, stopped = (scenes.customer(limits={"requests_per_minute": 1}) for _ in range(2))
    refusal = {"status": "refused", "error_code": "rate_limit_exceeded", "response_metadata": {"window": "minute", "limit": 1}}
    seen, at = [], 0
    for minutes in (0, 30, 59, 61, 90, 119, 122):
        pass_time(minutes - at)
        at = minutes
        asking = (who, stopped) if minutes < 10 else (who,)
        calls.write(calls.row(now(), each.account_id, id=new_id(), charge_nano=0, **refusal) for each in asking)
        seen.append((minutes, alerts.tell_of_hits()))

    assert seen == [(0, 2), (30, 0), (59, 0), (61, 1), (90, 0), (119, 0), (122, 1)]
    assert (len(told(who)), len(told(stopped))) == (3, 1)


def test_what_was_refused_long_ago_is_no_news(till: Till) -> None:
    who = scenes.customer(limits={"requests_per_minute": 1})
    ask(till, who, 2)

    pass_time(6)

    assert alerts.tell_of_hits() == 0


@pytest.mark.parametrize("behind", [timedelta(minutes=10), timedelta(minutes=59), timedelta(minutes=-59)])
def test_what_a_process_with_another_clock_refuses_is_told(till: Till, behind: timedelta) -> None:
    """R39: id and instant of a call are of the process that refused it, its settlement is of the database."""
    who = scenes.customer(limits={"requests_per_minute": 1})
    refusal = {"status": "refused", "error_code": "rate_limit_exceeded", "response_metadata": {"window": "minute", "limit": 1}}
    theirs = now() - behind
    calls.write([calls.row(theirs, who.account_id, id=new_id(theirs), charge_nano=0, settled_at=now(), **refusal)])

    assert [alerts.tell_of_hits() for _ in range(2)] == [1, 0]

    pass_time(61)
    assert alerts.tell_of_hits() == 0, "it is no news for longer because of their clock"


@pytest.mark.parametrize("ahead", [timedelta(minutes=20), timedelta(minutes=-20)])
def test_a_worker_with_another_clock_tells_of_hits_all_the_same(till: Till, ahead: timedelta) -> None:
    who = scenes.customer(limits={"requests_per_minute": 1})
    ask(till, who, 2)

    with time_machine.travel(now() + ahead, tick=False):
        assert alerts.tell_of_hits() == 1


def test_one_account_that_cannot_be_told_keeps_no_other_from_it(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sorted((scenes.customer(limits={"requests_per_minute": 1}) for _ in range(2)), key=lambda who: who.account_id)
    for who in (first, second):
        ask(till, who, 2)
    scenes.fail_to_announce(monkeypatch, first.account_id)

    with pytest.raises(RuntimeError, match=str(first.account_id)):
        alerts.tell_of_hits()

    assert (len(told(first)), len(told(second))) == (0, 1)
    monkeypatch.undo()
    assert (alerts.tell_of_hits(), len(told(first))) == (1, 1)


def test_two_looks_at_once_tell_once(app: Flask, till: Till) -> None:
    who = scenes.customer(limits={"requests_per_minute": 1})
    ask(till, who, 2)

    def one() -> int:
        with app.app_context(), acting_as_operator():
            return alerts.tell_of_hits()

    assert sum(scenes.in_threads(4, one)) == 1
    assert len(told(who)) == 1
