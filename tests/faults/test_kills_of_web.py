"""kill -9 of the web processes with calls at every stage: each ends once, at its true cost or without a charge (R4, R10, R11).

All kills share one wait for the silence of the dead. A process that was only frozen shares it too.
"""

import time
from typing import Any

import orjson

from tests.fakes.openrouter_replies import THIS_CALL
from tests.faults.clients import OpenCall, asking
from tests.faults.commits import Fate
from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, rich_customer
from tests.servers import standing_still
from tests.shop import Customer, charge_for
from tests.waiting import wait_until

WITHIN_SECONDS = 60.0  # R10
LONG = {"tokens": 2000, "pause_ms": 50}
SOON = {"delay_ms": 500}
A_WHILE = {"tokens": 80, "pause_ms": 50}  # longer than it takes to store the id of a call that begins after it
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "half of a sen"}, "finish_reason": "stop"}
BODY = orjson.dumps({"id": THIS_CALL.decode(), "object": "chat.completion", "model": "m", "choices": [CHOICE]})
HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Generation-Id: %b\r\nContent-Length: %d\r\n\r\n%b" % (
    THIS_CALL, len(BODY), BODY[:60],
)  # fmt: skip
HALF_AN_ANSWER = {"wire": [HALF, "hang"], "bill": "0.000123456", "counted": 9}
MUTE = {"before": "hang"}


class Stages:
    """Calls, each of a customer of its own, by the name of the stage they were killed at."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self.customers: dict[str, Customer] = {}
        self.calls: dict[str, OpenCall] = {}

    def begin(self, stage: str, plan: dict[str, Any], *, is_stream: bool = False) -> Customer:
        """The call is under way, and the upstream answers it as planned."""
        customer = self.customers[stage] = rich_customer(self._storm)
        self._storm.fake.plans[stage] = plan
        self.calls[stage] = OpenCall(customer, stream=is_stream, **asking(stage))
        return customer

    def await_holds(self, *stages: str) -> None:
        wait_until(lambda: all(self.customers[stage].holds for stage in stages))

    def await_notes(self, *stages: str) -> None:
        """The generation ids of these calls are stored."""
        wait_until(lambda: all(hold["generation_id"] for stage in stages for hold in self.customers[stage].holds))

    def await_bills(self, *stages: str) -> None:
        """The upstream has answered these calls to their end."""
        wait_until(lambda: all(self.bill(stage)["finished"] for stage in stages))

    def bill(self, stage: str) -> dict[str, Any]:
        return next(iter(self._storm.bills_of(stage)), {"finished": False})

    def outcome(self, stage: str) -> tuple[str, int]:
        """How the call ended and what it cost; ("nothing", 0) if the books never heard of it."""
        rows = self.customers[stage].rows
        assert len(rows) <= 1
        return (rows[0]["status"], rows[0]["charge_nano"]) if rows else ("nothing", 0)

    def expected(self, stage: str, status: str) -> tuple[str, int]:
        """That status, at the charge of the upstream's bill."""
        return status, charge_for(str(self.bill(stage)["cost"]))


def kill_where_nothing_is_being_committed(stages: Stages, storm: Storm) -> None:
    """Calls whose generation id is stored, and calls that have none yet."""
    stages.begin("no head, whole", MUTE)
    stages.begin("no head, streamed", MUTE, is_stream=True)
    stages.begin("in mid-stream", LONG, is_stream=True)
    stages.begin("whole answer half read", HALF_AN_ANSWER)
    stages.await_holds(*stages.customers)
    stages.await_notes("in mid-stream", "whole answer half read")
    storm.kill_webs()


def kill_while_commits_cannot_leave(stages: Stages, storm: Storm) -> None:
    """Every COMMIT is on its way and never arrives: a note, settlements with and without a stored id, an admission."""
    stages.begin("settling, id stored", A_WHILE, is_stream=True)
    stages.await_holds("settling, id stored")
    stages.await_notes("settling, id stored")
    stages.begin("settling, id unknown", SOON)
    stages.begin("id being stored", {**SOON, **LONG}, is_stream=True)
    stages.await_holds("settling, id unknown", "id being stored")
    trap = storm.proxy.catch(Fate.HELD_BACK, times=None)
    stages.begin("being admitted", {})
    stages.await_bills("settling, id unknown", "settling, id stored")
    trap.await_catch()
    storm.kill_webs()
    storm.proxy.let_all_pass()


def kill_between_a_commit_and_its_answer(stages: Stages, storm: Storm, stage: str) -> None:
    """The database has it in writing, and nobody who heard of it lives."""
    if stage == "charged":
        stages.begin(stage, SOON)
        stages.await_holds(stage)
    trap = storm.proxy.catch(Fate.ANSWER_HELD_BACK)
    if stage == "admitted":
        stages.begin(stage, {})
    trap.await_catch()
    storm.kill_webs()


def pid_in_mid_stream(stages: Stages, storm: Storm, stage: str) -> int:
    """A process that has a stream in hand."""
    customer = stages.begin(stage, A_WHILE, is_stream=True)
    stages.await_holds(stage)
    stages.await_notes(stage)
    return storm.pid_of_call(customer)


def test_a_web_process_that_is_killed_or_frozen_at_any_stage_leaves_each_call_charged_truly_or_void(storm: Storm) -> None:
    """R10: nothing committed is lost, nothing is charged twice, everything has ended within a minute (R11)."""
    stages = Stages(storm)
    kill_where_nothing_is_being_committed(stages, storm)
    with standing_still(storm.clock.pid):  # else it may end the first of these calls, and its COMMIT is caught
        kill_while_commits_cannot_leave(stages, storm)
    for stage in ("charged", "admitted"):
        with standing_still(storm.clock.pid):
            kill_between_a_commit_and_its_answer(stages, storm, stage)
    killed_at = time.monotonic()
    with standing_still(pid_in_mid_stream(stages, storm, "frozen")):
        assert [len(stages.customers[stage].holds) for stage in ("charged", "being admitted", "admitted")] == [0, 0, 1]
        storm.wait_for_quiet(WITHIN_SECONDS)
    received = [call.join() for call in stages.calls.values()]

    assert time.monotonic() - killed_at < WITHIN_SECONDS
    assert {stage: stages.outcome(stage) for stage in stages.calls} == {
        "no head, whole": ("voided", 0),
        "no head, streamed": ("voided", 0),
        "in mid-stream": stages.expected("in mid-stream", "partial"),
        "whole answer half read": ("partial", charge_for("0.000123456")),
        "settling, id stored": stages.expected("settling, id stored", "partial"),
        "settling, id unknown": ("voided", 0),
        "id being stored": ("voided", 0),
        "being admitted": ("nothing", 0),
        "charged": stages.expected("charged", "completed"),
        "admitted": ("voided", 0),
        "frozen": stages.expected("frozen", "partial"),  # ended by the clock; its own end came too late
    }
    # Whether the frozen one goes on to its end or gives its upstream up depends on how long it stood still.
    assert {stage for stage, call in stages.calls.items() if call.join().is_whole} <= {"frozen"}
    assert [stage for stage in ("being admitted", "admitted") if "id" in stages.bill(stage)] == []
    assert_holds(storm, received, unpaid=2)  # "settling, id unknown" and "id being stored" are the operator's own
