"""PostgreSQL crashes and comes back under load: what runs ends well, what is new is refused, nothing is free or double (R1, R4, R13)."""

from collections.abc import Iterator
from typing import Literal

import pytest

from tests.faults.clients import Buyers, OpenCall, asking, whole_and_streamed
from tests.faults.database import Database, own_database
from tests.faults.evidence import assert_holds, assert_proved_by_command
from tests.faults.storm import Storm, open_storm, rich_customer
from tests.waiting import wait_until

DOWN_SECONDS = {"immediate": 5.5, "fast": 1.0}
"""Longer than the end of an answer waits for its charge, and shorter."""

AT_ONCE_SECONDS = 3.0  # R13


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with own_database(tmp_path_factory.mktemp("database")) as opened:
        yield opened


@pytest.fixture(scope="module")
def exposed(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A storm on that database."""
    with open_storm(database.cluster, tmp_path_factory.mktemp("exposed")) as opened:
        yield opened
        assert_proved_by_command(opened)


@pytest.mark.parametrize("how", ["immediate", "fast"])
def test_a_restart_of_the_database_under_load_loses_and_doubles_nothing(
    exposed: Storm, database: Database, how: Literal["immediate", "fast"]
) -> None:
    storm, customers = exposed, [rich_customer(exposed) for _ in range(4)]
    slow_words = f"slowly, before a {how} stop"
    storm.fake.plans[slow_words] = {"tokens": 30, "pause_ms": 50}
    with Buyers(customers, each=4, choose=whole_and_streamed) as buyers:
        wait_until(lambda: buyers.whole > 40)
        slow = [OpenCall(customer, stream=True, **asking(slow_words)) for customer in customers]
        wait_until(lambda: len(storm.bills_of(slow_words)) == len(slow))
        database.stop(how)
        asked_before, answered_before = settled_down(storm), len(buyers.results)
        database.stay_down(DOWN_SECONDS[how])
        down, asked_meanwhile = buyers.results[answered_before:], len(storm.billed) - asked_before
        database.start()
        before = buyers.whole
        wait_until(lambda: buyers.whole > before + 40, 30)

    finished = [call.join() for call in slow]
    found = assert_holds(storm, [*buyers.results, *finished])
    refused = [result for result in buyers.results if result.status == 503]
    assert [result.is_whole for result in finished] == [True] * 4
    assert asked_meanwhile == 0
    assert {result.status for result in down} <= {200, 503}
    assert refused or how == "fast"  # so short a stop is waited for
    assert max((result.seconds for result in refused), default=0) < AT_ONCE_SECONDS
    assert {result.status for result in buyers.results} <= {200, 503}
    assert found.estimated == 0
    assert found.statuses["voided"] == 0


def settled_down(storm: Storm) -> int:
    """How many calls the upstream has seen, once those that had been let in are all there."""
    seen = [-1, len(storm.billed)]

    def is_still() -> bool:
        seen.append(len(storm.billed))
        return seen[-1] == seen[-15:][0] and len(seen) > 15

    wait_until(is_still)
    return seen[-1]
