"""Operations that the database cannot carry out, in one commit with fifty that it can (R4, R12)."""

from typing import Any

import pytest

from reseller.domain.calls import Settled, Till
from reseller.wiring import wiring_of
from tests.domain import scenes

NEIGHBOURS = 25
POISON = "nul \x00 in a text"


@pytest.fixture
def till(app: Any) -> Till:
    return wiring_of(app).till


def test_fifty_neighbours_of_poison_in_one_commit_all_succeed(till: Till) -> None:
    """A call that cannot be stored is not let in; an end that cannot be stored is charged without its details."""
    customers = [scenes.customer(nano=100_000) for _ in range(5)]
    open_calls = [scenes.admission(customers[index % 5]) for index in range(NEIGHBOURS + 1)]
    scenes.in_one_commit(till, open_calls)
    ends = [scenes.settlement(op, charge=60) for op in open_calls[:-1]]
    begins = [scenes.admission(customers[index % 5]) for index in range(NEIGHBOURS)]
    poison_end = scenes.settlement(open_calls[-1], charge=60, response_metadata={"finish_reason": POISON})
    poison_begin = scenes.admission(customers[0], request_metadata={"tool": POISON})
    before = till.stats.batches

    answers = scenes.all_at_once(till, [ends[0], poison_end, *ends[1:], poison_begin, *begins])

    ended, [refused], let_in = answers[: NEIGHBOURS + 1], answers[NEIGHBOURS + 1 : NEIGHBOURS + 2], answers[NEIGHBOURS + 2 :]
    assert [type(answer) for answer in ended] == [Settled] * (NEIGHBOURS + 1)
    assert [answer.charge_nano for answer in ended] == [60] * (NEIGHBOURS + 1)
    assert [answer.hold_nano for answer in let_in] == [100] * NEIGHBOURS
    assert isinstance(refused, Exception)
    assert till.stats.batches - before > NEIGHBOURS  # found out one by one
    assert sum(scenes.balance(who)["open_calls"] for who in customers) == NEIGHBOURS
    assert sum(scenes.money(who)[0] for who in customers) == 500_000 - 60 * (NEIGHBOURS + 1)
    assert [row["flag"] for who in customers for row in scenes.usage(who) if row["flag"]] == ["details_lost"]
    assert scenes.problems() == []
