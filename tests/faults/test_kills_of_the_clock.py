"""kill -9 of the worker in the middle of its recovery: the next one ends every call, once (R4, R10, R11).

That somebody has been silent for long enough is said by moving his heartbeat back; the kills are real.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.faults.clients import OpenCall, asking
from tests.faults.commits import Fate
from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, rich_customer
from tests.servers import FLASK, ServerProcess
from tests.shop import Customer, charge_for
from tests.waiting import wait_until

LOST, KNOWN = 4, 3
GENERATION = "/generation"


@pytest.fixture
def unattended(storm: Storm) -> Iterator[Storm]:
    """No worker runs until the test is over."""
    storm.kill_clock()
    yield storm
    storm.start_clock()


def lose_calls(storm: Storm) -> tuple[list[Customer], list[OpenCall]]:
    """Calls of killed web processes: some without a generation id, then some with one."""
    storm.fake.plans |= {"lost": {"before": "hang"}, "known": {"tokens": 2000, "pause_ms": 50}}
    customers = [rich_customer(storm) for _ in range(LOST + KNOWN)]
    words = ["lost"] * LOST + ["known"] * KNOWN
    calls = [OpenCall(who, stream=True, **asking(word)) for who, word in zip(customers, words, strict=True)]
    wait_until(lambda: all(who.holds for who in customers))
    wait_until(lambda: all(who.holds[0]["generation_id"] for who in customers[LOST:]))
    storm.kill_webs()
    return customers, calls


def killed_at(storm: Storm, reached: Callable[[], object]) -> None:
    """A worker has come so far with its round, and was killed there."""
    storm.let_silence_pass()
    victim = ServerProcess([*FLASK, "worker", "--once"], env=storm.web.environment, log=storm.folder / "victim.log")
    try:
        wait_until(lambda: reached() or victim.exit_code is not None)
        assert victim.exit_code is None, victim.log
    finally:
        victim.kill()


def test_workers_that_are_killed_in_the_middle_of_recovery_are_replaced(unattended: Storm) -> None:
    """R10: before a COMMIT arrives, after it, and while the upstream is asked."""
    storm = unattended
    customers, calls = lose_calls(storm)

    for fate, left in ((Fate.HELD_BACK, LOST + KNOWN), (Fate.ANSWER_HELD_BACK, LOST + KNOWN - 1)):
        killed_at(storm, storm.proxy.catch(fate).is_sprung.is_set)
        wait_until(lambda left=left: len(storm.query("SELECT id FROM holds")) == left, 5)  # type: ignore[misc]
    storm.fake.script(GENERATION, {"before": "hang"})
    asked = questions(storm)
    killed_at(storm, lambda: questions(storm) > asked)
    storm.let_silence_pass()
    storm.flask("worker", "--once")

    found = assert_holds(storm, [call.join() for call in calls])
    assert [(who.row["status"], who.row["charge_nano"]) for who in customers[:LOST]] == [("voided", 0)] * LOST
    assert [(who.row["status"], who.row["charge_nano"]) for who in customers[LOST:]] == [
        ("partial", charge_for(who.bill)) for who in customers[LOST:]
    ]
    assert found.estimated == 0


def questions(storm: Storm) -> int:
    """How often the upstream was asked what a call cost."""
    with storm.fake.lock:
        return sum(request["path"] == GENERATION for request in storm.fake.requests)
