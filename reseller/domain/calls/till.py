"""The till: takes holds and charges for many calls in one commit (design decisions 4 and 5).

Each verb waits until its operation is durable. What one commit holds, and in which order it is
decided, is told in `batch`.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

import orjson
import psycopg
import structlog
from psycopg.errors import LockNotAvailable

from reseller import alarms
from reseller.batching import BatchStats, GroupCommit, Retry, TryLater
from reseller.clock import monotonic
from reseller.domain.calls import settlement
from reseller.domain.calls.admission import Admit, Admitted
from reseller.domain.calls.batch import Answer, Batch, Op
from reseller.domain.calls.connection import TillConnection
from reseller.domain.calls.settlement import CallFacts, Note, Outcome, Record, Settle, Settled, facts_of
from reseller.domain.usage.tables import CallStatus
from reseller.errors import Refusal, Unavailable

log = structlog.get_logger()

ADMIT_SECONDS = 2.5
"""How long a new call waits for its hold before it is answered 503 (R13)."""

UNSTORABLE = (psycopg.Error, orjson.JSONEncodeError)
"""Details of an operation that the database, or the JSON on the way to it, cannot hold."""

SKIP_SECONDS = 1.0
"""How long locked accounts are skipped after one lock did not come in time."""

SETTLE_SECONDS = 5.0
"""How long the last bytes of an answer wait for their charge; afterwards it stays queued and lands when the database returns."""


class Till:
    """One per process. Every verb returns only after its operation is durable."""

    def __init__(self, database_url: str, *, observe: Callable[[int, float], None] | None = None) -> None:
        self._connection = TillConnection(database_url)
        self._skips_until = 0.0  # after a lock did not come in time
        self._told: dict[UUID, Refusal] = {}  # refusals of commits in doubt, until those are sent again
        self._in_doubt: set[UUID] = set()  # admissions of such commits, until the same
        self._group: GroupCommit[Op, Answer] = GroupCommit(self._commit, orphaned=self._orphaned, observe=observe)

    @property
    def stats(self) -> BatchStats:
        return self._group.stats

    @property
    def depth(self) -> int:
        """Operations that are not durable yet."""
        return self._group.depth

    @property
    def stuck_seconds(self) -> float:
        """How long the commit in hand has been tried; 0 while none is."""
        return self._group.stuck_seconds

    def admit(self, op: Admit) -> Admitted:
        """The call's hold is committed. Raises the Refusal that stands against it, or Unavailable.

        If we die here: the hold is open and names this process; recovery voids it (R10).
        """
        answer = self._group.submit(op, timeout_seconds=ADMIT_SECONDS)
        assert isinstance(answer, Admitted)
        return answer

    def settle(self, op: Settle) -> Settled | None:
        """The call's charge and usage row are committed and its hold released, once whatever happens.

        None when the database did not answer in time: the operation stays queued. Details that the database
        cannot store are left out rather than the charge.
        """
        try:
            answer = self._group.submit_kept(op, timeout_seconds=SETTLE_SECONDS)
        except Unavailable:
            return None
        except UNSTORABLE:
            log.critical("settlement_stripped", call_id=op.call_id.hex, exc_info=True)
            alarms.note("settlement_stripped", words=f"call {op.call_id.hex}")
            return self._settle_stripped(op)
        assert isinstance(answer, Settled)
        return answer

    def _settle_stripped(self, op: Settle) -> Settled | None:
        try:
            answer = self._group.submit_kept(settlement.stripped(op), timeout_seconds=SETTLE_SECONDS)
        except Unavailable:
            return None
        assert isinstance(answer, Settled)
        return answer

    def pend(self, note: Note) -> None:
        """The hold stays open and the clock will ask the upstream what the call cost."""
        with suppress(Unavailable):
            try:
                self._group.submit_kept(note, timeout_seconds=SETTLE_SECONDS)
            except UNSTORABLE:
                log.critical("draft_stripped", call_id=note.call_id.hex, exc_info=True)
                self._group.submit_kept(settlement.stripped_note(note), timeout_seconds=SETTLE_SECONDS)

    def note(self, note: Note) -> None:
        """The hold will know its generation id soon; nobody waits for it."""
        self._group.enqueue(note)

    def record(self, facts: CallFacts, refusal: Refusal) -> None:
        """A refused call has its usage row. An unreachable database loses the row, never the answer."""
        try:
            self._group.submit(Record(facts, refusal), timeout_seconds=ADMIT_SECONDS)
        except Unavailable:
            return

    def drain(self, timeout_seconds: float) -> bool:
        """True once everything queued is durable."""
        return self._group.wait_idle(timeout_seconds)

    def close(self) -> None:
        self._connection.close()

    def _orphaned(self, op: Op, answer: Answer | BaseException) -> None:
        """An admission that nobody waits for any more gives its hold back."""
        if isinstance(op, Admit) and isinstance(answer, Admitted):
            outcome = Outcome(status=CallStatus.FAILED, error_code=Unavailable.code)
            self._group.enqueue(Settle(facts_of(op), outcome))

    def _commit(self, ops: Sequence[Op]) -> Sequence[Answer | BaseException]:
        """One transaction. A lock that does not come soon must not stop other accounts: for a while, locked ones are skipped."""
        if monotonic() < self._skips_until:
            return self._commit_batch(ops, skips_locked=True)
        try:
            return self._commit_batch(ops, skips_locked=False)
        except TryLater as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            self._skips_until = monotonic() + SKIP_SECONDS
            return self._commit_batch(ops, skips_locked=True)

    def _commit_batch(self, ops: Sequence[Op], *, skips_locked: bool) -> Sequence[Answer | BaseException]:
        batch = Batch(ops, self._told, in_doubt=self._in_doubt, skips_locked=skips_locked)
        try:
            with self._connection.transaction() as connection:
                batch.load(connection.begin_and_read(batch.queries()))
                if ended := batch.ended_before():
                    batch.load_ends(connection.read_ends(ended))
                answers = batch.decide()
                if batch.changes_anything:
                    connection.write_and_commit(batch.to_write())
                else:
                    connection.end_read()
        except Retry:
            self._told = batch.told
            self._in_doubt.update(op.call_id for op in batch.admits)
            raise
        if self._in_doubt:
            self._out_of_doubt(ops, answers)
        return answers

    def _out_of_doubt(self, ops: Sequence[Op], answers: Sequence[Answer | BaseException]) -> None:
        for op, answer in zip(ops, answers, strict=True):
            if isinstance(op, Admit) and not isinstance(answer, TryLater):
                self._told.pop(op.call_id, None)
                self._in_doubt.discard(op.call_id)
