"""A batch is equal to doing its operations one by one (R12), and the laws of money hold after every commit (R1, R3, R4).

The same random story is told twice, to two sets of accounts that begin alike: once in batches, once
with a commit for each operation. Windows of an hour and a day are wide enough for time not to matter.
Accounts differ in money, limits, number of keys and standing; operations come again, in one batch and later.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from reseller.database import acting_as_operator
from reseller.domain import accounts, keys
from reseller.domain.calls import Admit, Note, Settle, Till, facts_of
from reseller.domain.calls.settlement import Record
from reseller.domain.keys import SpendPeriod
from reseller.domain.ledger import EntryKind
from reseller.domain.usage import CostSource
from reseller.errors import NotForSale, Refusal
from reseller.money import to_usd
from reseller.wiring import wiring_of
from tests.deployment import Cluster, running_app, settings_over
from tests.domain import scenes


@dataclass(frozen=True)
class Purse:
    """How an account begins. `standing`: active, suspended, halted, frozen (below zero after a reversal), or its first key revoked."""

    nano: int
    spend_limit: int | None
    spend_period: SpendPeriod
    second_limit: int | None
    hourly: int | None
    daily: int | None
    concurrent: int | None
    max_tokens: int | None
    is_test: bool
    standing: str

    def opened(self) -> list[scenes.Customer]:
        """The account with its two keys."""
        wanted = {
            "requests_per_hour": self.hourly,
            "requests_per_day": self.daily,
            "concurrent_requests": self.concurrent,
            "max_tokens_per_request": self.max_tokens,
        }
        limits = {name: value for name, value in wanted.items() if value is not None}
        first = scenes.customer(
            nano=self.nano,
            limits=limits,
            spend=_spend(self.spend_limit, self.spend_period),
            is_test=self.is_test,
            model_patterns=["acme/*"],
        )
        _, second = keys.mint(first.account_id, name="second", actor=scenes.ACTOR, spend=_spend(self.second_limit, SpendPeriod.LIFETIME))
        if self.standing == "suspended":
            accounts.suspend(first.account_id, reason="for a test", actor=scenes.ACTOR)
        elif self.standing == "halted":
            accounts.halt(first.account_id, reason="for a test")
        elif self.standing == "frozen":
            scenes.put_in(first, -self.nano - REVERSED_BEYOND, kind=EntryKind.REFUND)
        elif self.standing == "revoked":
            keys.revoke(str(first.key_id), actor=scenes.ACTOR)
        return [first, replace(first, key_id=second.id, is_test=False)]

    @property
    def put_in(self) -> int:
        """The sum of its ledger entries."""
        return -REVERSED_BEYOND if self.standing == "frozen" else self.nano


def _spend(limit: int | None, period: SpendPeriod) -> tuple[Decimal, SpendPeriod] | None:
    return None if limit is None else (to_usd(limit), period)


@dataclass(frozen=True)
class Step:
    """One operation of the story. `call` is the number of the admission it is about, `who` of the account, `key` of its key.

    Verbs: admit, settle, estimate, fail, note, record; again (a call that ended before is ended once more).
    """

    verb: str
    who: int
    key: int
    call: int
    nano: int
    is_open_capped: bool
    oddity: str  # of an admission: a model that the key may not use, prices that moved, an account that does not exist


maybe = st.one_of(st.none(), st.integers(1, 5))
purses = st.builds(
    Purse,
    nano=st.integers(0, 90),
    spend_limit=st.one_of(st.none(), st.integers(1, 40)),
    spend_period=st.sampled_from(SpendPeriod),
    second_limit=st.one_of(st.none(), st.integers(1, 40)),
    hourly=maybe,
    daily=maybe,
    concurrent=maybe,
    max_tokens=st.one_of(st.none(), st.integers(5, 30)),
    is_test=st.sampled_from([False, False, False, True]),
    standing=st.sampled_from(["active"] * 8 + ["suspended", "halted", "frozen", "revoked"]),
)
steps = st.builds(
    Step,
    verb=st.sampled_from(["admit"] * 5 + ["settle"] * 4 + ["estimate", "fail", "note", "record", "again"]),
    who=st.integers(0, 2),
    key=st.integers(0, 1),
    call=st.integers(0, 7),
    nano=st.integers(0, 25),
    is_open_capped=st.booleans(),
    oddity=st.sampled_from([""] * 9 + ["model", "prices", "nobody"]),
)
stories = st.lists(st.lists(steps, min_size=1, max_size=9), min_size=1, max_size=5)


RICH = Purse(90, None, SpendPeriod.LIFETIME, None, None, None, None, None, False, "active")


def admit(call: int, nano: int) -> Step:
    return Step("admit", who=0, key=0, call=call, nano=nano, is_open_capped=False, oddity="")


def settle(call: int, nano: int) -> Step:
    return replace(admit(call, nano), verb="settle")


REVERSED_BEYOND = 5  # a frozen account is that far below zero
ODDITIES: dict[str, dict[str, Any]] = {
    "": {},
    "model": {"model": "other/one"},
    "prices": {"terms": replace(scenes.RULE_TERMS, price_version=99)},
    "nobody": {"account_id": UUID(int=7)},
}


class Telling:
    """One telling of a story: its accounts, and the ids that its calls have in it."""

    def __init__(self, purses: list[Purse]) -> None:
        self.people = [purse.opened() for purse in purses]
        self.calls: dict[int, Admit] = {}  # that may be admitted again, or ended
        self.over: dict[int, Admit] = {}  # that have ended: ending them again must do nothing
        self.numbers: dict[UUID, int] = {}  # of every call ever tried and of every key, the same in both tellings
        for both in self.people:
            self.numbers |= {who.key_id: number for number, who in enumerate(both)}

    def operations(self, batch: list[Step]) -> list[Any]:
        """The batch's operations, settlements before admissions as the till does them. A call that has ended is not tried again."""
        ends = [op for op in (self._end(step) for step in batch if step.verb != "admit") if op is not None]
        over = {op.call_id for op in ends if isinstance(op, Settle)}
        self.over |= {number: op for number, op in self.calls.items() if op.call_id in over}
        self.calls = {number: op for number, op in self.calls.items() if op.call_id not in over}
        return ends + [self._admission(step) for step in batch if step.verb == "admit"]

    def learn(self, ops: list[Any], answers: list[Any]) -> None:
        """What was refused is over."""
        over = {op.call_id for op, answer in zip(ops, answers, strict=True) if isinstance(answer, Refusal)}
        self.calls = {number: op for number, op in self.calls.items() if op.call_id not in over}

    def _admission(self, step: Step) -> Admit:
        if step.call not in self.calls:
            who = self.people[step.who % len(self.people)][step.key]
            terms: dict[str, Any] = {"hold": step.nano, "output_cap": step.nano}
            if step.is_open_capped:
                terms = {"hold": step.nano % 7, "per_token": 1, "output_cap": 40, "cap_is_clients": False}
            op = self.calls[step.call] = replace(scenes.admission(who, **terms), **ODDITIES[step.oddity])
            self.numbers[op.call_id] = len(self.numbers)
        return replace(self.calls[step.call])  # another object of the same call, as when it is sent again

    def _end(self, step: Step) -> Any:
        op = self.over.get(step.call) if step.verb == "again" else self.calls.get(step.call)
        if step.verb == "record":
            return Record(facts_of(scenes.admission(self.people[step.who % len(self.people)][step.key])), NotForSale("no such model"))
        if op is None:
            return None
        if step.verb == "note":
            return Note(op.call_id, f"gen-{step.call}")
        if step.verb == "fail":
            return scenes.failure(op)
        if step.verb == "estimate":
            return scenes.settlement(op, charge=step.nano * 2, at_most_hold=True, cost_source=CostSource.ESTIMATE)
        return scenes.settlement(op, charge=step.nano)

    def state(self) -> dict[str, list[Any]]:
        """Everything the database says of the accounts, without ids and instants."""
        places = {who.account_id: place for place, (who, _) in enumerate(self.people)}
        found = {}
        for name, (sql, columns) in STATE.items():
            rows = scenes.rows(sql, ids=list(places))
            facts = [(places[row["account_id"]], self.numbers.get(row.get("id"), -1), *(row[column] for column in columns)) for row in rows]
            found[name] = sorted(facts, key=str)
        return found


STATE = {
    "balances": ("SELECT * FROM balances WHERE account_id = ANY(:ids)", ("settled_nano", "held_nano", "open_calls", "unposted_nano")),
    "holds": ("SELECT * FROM holds WHERE account_id = ANY(:ids)", ("amount_nano", "key_nano", "generation_id")),
    "usage": (
        "SELECT * FROM usage_logs WHERE account_id = ANY(:ids)",
        ("charge_nano", "status", "hold_nano", "overage_loss_nano", "error_code"),
    ),
    "keys": ("SELECT * FROM api_keys WHERE account_id = ANY(:ids)", ("spent_nano", "held_nano", "total_nano", "calls")),
    "windows": (
        """SELECT account_id, coalesce(sum(get_byte(hour, 8 + 4 * n)), 0) AS hour, coalesce(sum(get_byte(day, 8 + 4 * n)), 0) AS day
             FROM request_counters LEFT JOIN generate_series(0, 60) n ON length(hour) > 0 WHERE account_id = ANY(:ids) GROUP BY 1""",
        ("hour", "day"),
    ),
}
"""What is compared: the query, and its columns that two tellings have in common. A count below 256 is its lowest byte."""


def told(answer: Any) -> Any:
    """An answer without ids and instants. `available` is what it is when its turn comes."""
    if isinstance(answer, Refusal):
        return type(answer).__name__
    if answer is None:
        return None
    if hasattr(answer, "hold_nano"):
        return (answer.hold_nano, answer.key_nano, answer.output_cap, answer.available_nano)
    return (answer.charge_nano, answer.overage_loss_nano, answer.was_open)


def told_of(ops: list[Any], answers: list[Any]) -> list[Any]:
    """The answers in order. A refused call that is sent again is refused again; by what else stands in its way by now, is no matter."""
    found: list[Any] = []
    refused: set[UUID] = set()
    for op, answer in zip(ops, answers, strict=True):
        is_refused = isinstance(op, Admit) and isinstance(answer, Refusal)
        found.append("refused again" if is_refused and op.call_id in refused else told(answer))
        if is_refused:
            refused.add(op.call_id)
    return found


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


def test_a_batch_equals_its_operations_one_by_one(shared_till: Till) -> None:
    """R12: the same answers, balances, holds, usage rows, key counters and windows; and R1 after whatever the stories did."""

    @given(purses=st.lists(purses, min_size=1, max_size=3), story=stories)
    @example([RICH], [[admit(0, 9)], [settle(0, 5), settle(0, 6)], [settle(0, 7)]])  # ended twice at once, and once more
    @example(
        [replace(RICH, spend_limit=10)], [[admit(0, 10)], [settle(0, 3), admit(1, 7)]]
    )  # what one call frees of a key's room, the next takes
    @example([replace(RICH, nano=10)], [[admit(0, 10)], [admit(1, 8), settle(0, 2)]])  # and of the account's, whatever their order
    @example(
        [replace(RICH, spend_limit=30), RICH],
        [[admit(0, 9), admit(0, 9), admit(1, 9)], [replace(settle(0, 4), verb="note"), settle(0, 4), settle(1, 20)]],
    )
    @settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking would take longer than a test may
    def tell(purses: list[Purse], story: list[list[Step]]) -> None:
        batched, single = Telling(purses), Telling(purses)
        for batch in story:
            ops, ops_apart = batched.operations(batch), single.operations(batch)
            together, apart = scenes.in_one_commit(shared_till, ops), scenes.one_by_one(shared_till, ops_apart)

            assert told_of(ops, together) == told_of(ops_apart, apart)
            assert batched.state() == single.state()
            check_laws(batched.state(), purses)
            batched.learn(ops, together)
            single.calls = {number: op for number, op in single.calls.items() if number in batched.calls}
        scenes.in_one_commit(shared_till, [scenes.settlement(op, charge=3) for op in batched.calls.values()])
        check_nothing_is_held(batched.state())

    with acting_as_operator():
        tell()

        assert scenes.problems_of_the_ledger() == []


def check_laws(state: dict[str, list[Any]], purses: list[Purse]) -> None:
    """R1, R3: never below zero, charges and balance make what was put in, held is what the holds say."""
    for place, _, settled, held, open_calls, unposted in state["balances"]:
        charged = sum(row[2] for row in state["usage"] if row[0] == place)
        open_ones = [row[2] for row in state["holds"] if row[0] == place]
        assert settled - held >= min(purses[place].put_in, 0)
        assert settled + charged == purses[place].put_in
        assert unposted == charged
        assert (held, open_calls) == (sum(open_ones), len(open_ones))
        assert charged == 0 or (purses[place].standing in ("active", "revoked"))
        assert all(
            total == 0
            for row_place, number, _, _, total, _ in state["keys"]
            if row_place == place and number == 0 and purses[place].is_test
        )
        assert charged == sum(row[4] for row in state["keys"] if row[0] == place)


def check_nothing_is_held(state: dict[str, list[Any]]) -> None:
    assert state["holds"] == []
    assert [row[3] for row in state["balances"] + state["keys"]] == [0] * len(state["balances"] + state["keys"])


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
    assert scenes.problems_of_the_ledger() == []


def test_calls_that_come_and_go_from_two_processes_never_overspend(app: Any, database_url: str) -> None:
    """R1, R3, R4: charges above and below the hold, settled twice, while the books are audited."""
    people = [scenes.customer(nano=2_000) for _ in range(3)]

    def traffic(till: Till) -> list[Any]:
        done: list[Any] = []
        for round_ in range(12):
            ops = [scenes.admission(who, hold=40 + round_) for who in people for _ in range(6)]
            let_in = [op for op, answer in zip(ops, scenes.all_at_once(till, ops), strict=True) if not isinstance(answer, Exception)]
            ends = [scenes.settlement(op, charge=(20 + 13 * round_ + number) % 70) for number, op in enumerate(let_in)]
            again = [Settle(end.facts, end.outcome) for end in ends[:3]]
            done += [answer.charge_nano for answer in scenes.all_at_once(till, ends + again)]
        return done

    charges = scenes.from_two_processes(database_url, traffic)

    for who in people:
        settled, held = scenes.money(who)
        assert held == 0
        assert settled >= 0
        assert settled == 2_000 - sum(row["charge_nano"] for row in scenes.usage(who))
    assert sum(charges) == sum(2_000 - scenes.money(who)[0] for who in people)
    assert scenes.problems_of_the_ledger() == []


def test_ten_thousand_calls_below_a_millionth_of_a_dollar_add_up_exactly(till: Till) -> None:
    """R16: 10,000 × $0.0000004 is $0.004."""
    who = scenes.customer(nano=10**10)
    for _ in range(20):
        ops = [scenes.admission(who, hold=1_000) for _ in range(500)]
        scenes.in_one_commit(till, ops)
        scenes.in_one_commit(till, [scenes.settlement(op, charge=400, cost_usd=Decimal("0.00000032")) for op in ops])

    assert to_usd(10**10 - scenes.money(who)[0]) == Decimal("0.004")
    assert scenes.problems_of_the_ledger() == []
