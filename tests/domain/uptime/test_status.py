"""Figures of the status page: from real calls and pages, exact, and honest about their age."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from reseller.clock import now
from reseller.database import db
from reseller.domain import uptime
from reseller.domain.calls import Outcome, Settle, Till, facts_of
from reseller.domain.uptime import PartStatus, ServiceStatus, State
from reseller.domain.uptime.status import UPSTREAM_FAULTS
from reseller.domain.usage import CallStatus, rollup
from reseller.errors import UpstreamFailure
from reseller.tally import Noted, Part, slot_of
from reseller.wiring import wiring_of
from tests.domain import scenes

TIMED = {"admitted_ms": 2, "sent_ms": 3, "first_byte_ms": 103, "ended_ms": 200}


def told() -> ServiceStatus:
    uptime.make_snapshot()
    with db.engine.connect() as connection:
        found = uptime.read_snapshot(connection)
    assert found is not None
    return found


def of(part: Part) -> PartStatus:
    return next(each for each in told().parts if each.part == part)


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


def call(till: Till, who: scenes.Customer, *, error_code: str | None = None) -> None:
    """One that went well, or that failed for this reason."""
    op = scenes.admission(who, hold=10)
    till.admit(op)
    if error_code is None:
        till.settle(scenes.settlement(op, charge=5, response_metadata=TIMED))
    else:
        till.settle(Settle(facts_of(op), Outcome(status=CallStatus.FAILED, error_code=error_code)))


def test_before_anything_happened_nothing_is_claimed(app: Flask) -> None:
    for part in told().parts:
        assert part.state == State.OPERATIONAL
        assert [window.good_percent for window in part.windows.values()] == [None, None, None]
        assert len(part.days) == 90


@pytest.mark.parametrize(("error_code", "good_percent"), [("upstream_unavailable", "75.00"), ("invalid_request", "100.00")])
def test_models_are_measured_by_calls_that_the_upstream_failed(till: Till, error_code: str, good_percent: str) -> None:
    """What was wrong with the request itself is no fault of a model."""
    who = scenes.customer(nano=10_000)
    for _ in range(3):
        call(till, who)
    call(till, who, error_code=error_code)
    rollup.run()

    models = of(Part.MODELS)

    assert [window.good_percent for window in models.windows.values()] == [Decimal(good_percent)] * 3
    assert models.days[-1] == (now().date(), Decimal(good_percent))
    assert 80 <= (models.windows["hour"].median_ms or 0) <= 125
    assert of(Part.API).windows["hour"].good_percent == Decimal("100.00")
    assert (of(Part.API).windows["hour"].median_ms or 99) <= 3


def test_the_api_answers_for_calls_that_found_no_database(till: Till) -> None:
    call(till, scenes.customer(nano=100))
    rollup.run()
    uptime.add({(Part.API, slot_of(now())): Noted(bad=3)})

    api = of(Part.API)

    assert api.windows["day"].good_percent == Decimal("25.00")
    assert api.state == State.DOWN


def test_a_voided_call_is_the_fault_of_the_api_and_of_no_model(till: Till, app: Flask) -> None:
    call(till, scenes.customer(nano=100))
    scenes.execute("UPDATE usage_logs SET status = :voided", voided=CallStatus.VOIDED.value)
    rollup.run()

    assert of(Part.API).windows["hour"].good_percent == Decimal("0.00")
    assert of(Part.MODELS).windows["hour"].good_percent is None


@pytest.mark.parametrize(
    ("good", "bad", "state"),
    [(0, 2, State.OPERATIONAL), (1_000, 3, State.OPERATIONAL), (90, 10, State.DEGRADED), (4, 6, State.DOWN)],
)
def test_the_state_is_that_of_the_last_minutes(app: Flask, good: int, bad: int, state: State) -> None:
    uptime.add({(Part.WEBSITE, slot_of(now())): Noted(good, bad), (Part.PAYMENTS, slot_of(now() - timedelta(hours=2))): Noted(good, bad)})

    assert of(Part.WEBSITE).state == state
    assert of(Part.PAYMENTS).state == State.OPERATIONAL


def test_windows_reach_as_far_back_as_they_say(app: Flask) -> None:
    for ago in (timedelta(0), timedelta(hours=5), timedelta(days=30), timedelta(days=95)):
        uptime.add({(Part.WEBSITE, slot_of(now() - ago)): Noted(good=0 if ago else 1, bad=1 if ago else 0, milliseconds=[50.0])})

    website = of(Part.WEBSITE)

    assert [window.good_percent for window in website.windows.values()] == [Decimal("100.00"), Decimal("50.00"), Decimal("33.33")]
    assert website.days[-31] == ((now() - timedelta(days=30)).date(), Decimal("0.00"))


def test_figures_that_nobody_adds_up_any_more_are_no_news(app: Flask) -> None:
    told()
    scenes.execute("UPDATE service_snapshots SET made_at = now() - interval '20 minutes'")

    with db.engine.connect() as connection:
        found = uptime.read_snapshot(connection)

    assert found is not None
    assert not found.is_fresh
    assert {part.state for part in found.parts} == {State.UNKNOWN}


def test_faults_of_upstreams_are_codes_that_there_are() -> None:
    known = {UpstreamFailure.code, *(cls.code for cls in UpstreamFailure.__subclasses__())}

    assert set(UPSTREAM_FAULTS) <= known
