"""A batch is equal to doing its operations one by one (R12), and the laws of money hold after every commit (R1, R3, R4).

The same random story is told twice, to two sets of accounts that begin alike: once in batches, once
with a commit for each operation. Windows of an hour and a day are wide enough for time not to matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reseller.clock import new_id
from reseller.database import acting_as_operator
from reseller.domain.calls import Admit, Note, Settle, Till, facts_of
from reseller.domain.calls.settlement import Record
from reseller.domain.keys import SpendPeriod
from reseller.domain.usage import CostSource
from reseller.errors import NotForSale, Refusal
from reseller.money import to_usd
from reseller.wiring import wiring_of
from tests.conftest import Cluster, running_app, settings_over
from tests.domain import scenes


@dataclass(frozen=True)
class Purse:
    """How an account begins."""

    nano: int
    spend_limit: int | None
    hourly: int | None
    concurrent: int | None
    max_tokens: int | None
    is_test: bool

    def opened(self) -> scenes.Customer:
        wanted = {"requests_per_hour": self.hourly, "concurrent_requests": self.concurrent, "max_tokens_per_request": self.max_tokens}
        spend = None if self.spend_limit is None else (to_usd(self.spend_limit), SpendPeriod.LIFETIME)
        limits = {name: value for name, value in wanted.items() if value is not None}
        return scenes.customer(nano=self.nano, limits=limits, spend=spend, is_test=self.is_test)


@dataclass(frozen=True)
class Step:
    """One operation of the story. `call` is the number of the admission it is about, `who` of the account."""

    verb: str  # admit, settle, estimate, fail, note, record
    who: int
    call: int
    nano: int
    is_open_capped: bool


maybe = st.one_of(st.none(), st.integers(1, 5))
purses = st.builds(
    Purse,
    nano=st.integers(0, 60),
    spend_limit=st.one_of(st.none(), st.integers(1, 40)),
    hourly=maybe,
    concurrent=maybe,
    max_tokens=st.one_of(st.none(), st.integers(5, 30)),
    is_test=st.sampled_from([False, False, False, True]),
)
steps = st.builds(
    Step,
    verb=st.sampled_from(["admit"] * 5 + ["settle"] * 4 + ["estimate", "fail", "note", "record"]),
    who=st.integers(0, 2),
    call=st.integers(0, 11),
    nano=st.integers(0, 25),
    is_open_capped=st.booleans(),
)
stories = st.lists(st.lists(steps, min_size=1, max_size=9), min_size=1, max_size=5)


class Telling:
    """One telling of a story: its accounts, and the ids that its calls have in it."""

    def __init__(self, purses: list[Purse]) -> None:
        self.people = [purse.opened() for purse in purses]
        self.calls: dict[int, Admit] = {}

    def operations(self, batch: list[Step]) -> list[Any]:
        """The batch's operations, settlements before admissions as the till does them."""
        ordered = [step for step in batch if step.verb != "admit"] + [step for step in batch if step.verb == "admit"]
        known = dict(self.calls)
        made = [self._operation(step, known) for step in ordered]
        return [op for op in made if op is not None]

    def _operation(self, step: Step, known: dict[int, Admit]) -> Any:
        who = self.people[step.who % len(self.people)]
        if step.verb == "admit":
            again = self.calls.get(step.call)
            if again is None or step.call not in known:
                self.calls[step.call] = again or self._admission(who, step)
            return self.calls[step.call]
        if step.verb == "record":
            return Record(facts_of(scenes.admission(who)), NotForSale("no such model"))
        if step.call not in known:
            return None
        return self._end(step, known[step.call])

    def _admission(self, who: scenes.Customer, step: Step) -> Admit:
        if step.is_open_capped:
            return scenes.admission(who, hold=step.nano % 7, per_token=1, output_cap=40, cap_is_clients=False)
        return scenes.admission(who, hold=step.nano, output_cap=step.nano)

    def _end(self, step: Step, op: Admit) -> Any:
        if step.verb == "note":
            return Note(op.call_id, f"gen-{step.call}")
        if step.verb == "fail":
            return scenes.failure(op)
        if step.verb == "estimate":
            return scenes.settlement(op, charge=step.nano * 2, at_most_hold=True, cost_source=CostSource.ESTIMATE)
        return scenes.settlement(op, charge=step.nano)

    def state(self) -> list[Any]:
        """Everything the database says of the accounts, without ids and instants."""
        return [self._of(who) for who in self.people]

    def _of(self, who: scenes.Customer) -> Any:
        numbers = {op.call_id: number for number, op in self.calls.items()}
        key = scenes.key_of(who)
        return {
            "balance": scenes.balance(who),
            "holds": sorted((numbers[h["id"]], h["amount_nano"], h["key_nano"], h["generation_id"]) for h in scenes.holds(who)),
            "usage": sorted(
                (numbers.get(u["id"], -1), u["status"], u["charge_nano"], u["hold_nano"], u["overage_loss_nano"], u["error_code"] or "")
                for u in scenes.usage(who)
            ),
            "key": (key["spent_nano"], key["held_nano"], key["total_nano"], key["calls"]),
            "counts": counts(who),
        }


def counts(who: scenes.Customer) -> list[int]:
    from_row = scenes.rows("SELECT hour, day FROM request_counters WHERE account_id = :id", id=who.account_id)[0]
    return [sum(memoryview(bytes(packed)[8:]).cast("I")) if packed else 0 for packed in (from_row["hour"], from_row["day"])]


def told(answer: Any) -> Any:
    """An answer without ids and instants. `available` is what it is when its turn comes."""
    if isinstance(answer, Refusal):
        return type(answer).__name__
    if answer is None:
        return None
    if hasattr(answer, "hold_nano"):
        return (answer.hold_nano, answer.key_nano, answer.output_cap, answer.available_nano)
    return (answer.charge_nano, answer.overage_loss_nano, answer.was_open)


@pytest.fixture(scope="module")
def shared_till(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """One database for all stories: each has accounts of its own."""
    url = cluster.create_database()
    with running_app(settings_over(url, tmp_path_factory.mktemp("equivalence"))) as app:
        yield pushed(app)
    cluster.drop_database(url)


def pushed(app: Flask) -> Till:
    app.app_context().push()
    return wiring_of(app).till


@given(purses=st.lists(purses, min_size=1, max_size=3), story=stories)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_batch_equals_its_operations_one_by_one(shared_till: Till, purses: list[Purse], story: list[list[Step]]) -> None:
    """R12: the same answers, balances, holds, usage rows, key counters and windows."""
    with acting_as_operator():
        batched, single = Telling(purses), Telling(purses)
        for batch in story:
            together = scenes.in_one_commit(shared_till, batched.operations(batch))
            apart = scenes.one_by_one(shared_till, single.operations(batch))

            assert [told(answer) for answer in together] == [told(answer) for answer in apart]
            assert batched.state() == single.state()
            for who, purse in zip(batched.people, purses, strict=True):
                check_laws(who, purse)
        end_all(shared_till, batched)
        assert scenes.problems() == []
        assert all(scenes.balance(who)["held"] == scenes.key_of(who)["held_nano"] == 0 for who in batched.people)


def check_laws(who: scenes.Customer, purse: Purse) -> None:
    """R1, R3: never below zero, never more charged than put in, held is what holds say, the key within its limit."""
    now = scenes.balance(who)
    charged = sum(row["charge_nano"] for row in scenes.usage(who))
    assert now["settled"] - now["held"] >= 0
    assert now["settled"] == purse.nano - charged
    assert now["unposted"] == charged
    assert now["held"] == sum(hold["amount_nano"] for hold in scenes.holds(who))
    assert now["open_calls"] == len(scenes.holds(who))
    if purse.is_test:
        assert charged == 0


def end_all(till: Till, telling: Telling) -> None:
    scenes.in_one_commit(till, [scenes.settlement(op, charge=3) for op in telling.calls.values()])


def test_five_hundred_calls_at_once_from_two_processes_spend_exactly_what_is_there(app: Any, database_url: str) -> None:
    """R3: a balance for ten lets ten in, not nine and not eleven."""
    who = scenes.customer(nano=10 * 100)

    answers = scenes.from_two_processes(
        database_url, lambda till: scenes.all_at_once(till, [scenes.admission(who, hold=100) for _ in range(250)])
    )

    admitted = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(answers) == 500
    assert len(admitted) == 10
    assert scenes.money(who) == (1_000, 1_000)
    assert len(scenes.holds(who)) == 10
    assert scenes.problems() == []


def test_calls_that_come_and_go_from_two_processes_never_overspend(app: Any, database_url: str) -> None:
    """R1, R3, R4: charges above and below the hold, settled twice, while the books are audited."""
    people = [scenes.customer(nano=2_000) for _ in range(3)]

    def traffic(till: Till) -> list[Any]:
        done: list[Any] = []
        for round_ in range(12):
            ops = [scenes.admission(who, hold=40 + round_) for who in people for _ in range(6)]
            let_in = [op for op, answer in zip(ops, scenes.all_at_once(till, ops), strict=True) if not isinstance(answer, Exception)]
            ends = [scenes.settlement(op, charge=(20 + 13 * round_ + number) % 70) for number, op in enumerate(let_in)]
            done += [answer.charge_nano for answer in scenes.all_at_once(till, ends + ends[:3])]
        return done

    charges = scenes.from_two_processes(database_url, traffic)

    for who in people:
        settled, held = scenes.money(who)
        assert held == 0
        assert settled >= 0
        assert settled == 2_000 - sum(row["charge_nano"] for row in scenes.usage(who))
    assert sum(charges) == sum(2_000 - scenes.money(who)[0] for who in people)
    assert scenes.problems() == []


def test_ten_thousand_calls_below_a_millionth_of_a_dollar_add_up_exactly(till: Till) -> None:
    """R16: 10,000 × $0.0000004 is $0.004."""
    who = scenes.customer(nano=10**10)
    for _ in range(20):
        ops = [scenes.admission(who, hold=1_000) for _ in range(500)]
        scenes.in_one_commit(till, ops)
        scenes.in_one_commit(till, [scenes.settlement(op, charge=400, cost_usd=Decimal("0.00000032")) for op in ops])

    assert to_usd(10**10 - scenes.money(who)[0]) == Decimal("0.004")
    assert scenes.problems() == []


def test_an_id_that_is_new_has_never_been_used(till: Till) -> None:
    """R4: ids are made before anything is done, so a call is one call wherever it is sent again."""
    who = scenes.customer()
    op = scenes.admission(who, call_id=new_id())

    till.admit(op)

    assert [isinstance(end, Settle) for end in (scenes.failure(op), scenes.settlement(op))] == [True, True]
    assert scenes.holds(who)[0]["id"] == op.call_id
