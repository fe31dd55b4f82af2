"""Group commit: operations queue while the previous commit runs, then share the next one.

Knows nothing of money or tables. `commit` gets a list of operations and returns one answer
for each, in order, after its transaction is durable. Promise R12, point by point:

- nothing is acknowledged before `commit` returned, and the queue is emptied only then;
- an answer that is an exception instance is raised in its submitter alone;
- a batch that fails as a whole is run again one by one, so a poison operation fails alone;
- a `Retry` (connection lost, result of COMMIT unknown) sends the *same* operations again,
  so they must be idempotent by their own ids;
- an operation that fails alone with `TryLater`, or is answered with one, is queued again, unless its submitter gave up
  and it is certain that no earlier try was committed;
- order of arrival is kept.

There is no timer: an idle batcher commits at once, a busy one fills the next batch while
the current one is being written.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import gevent
import structlog
from gevent.event import Event

from reseller.clock import monotonic
from reseller.errors import Unavailable

Op = TypeVar("Op")
Answer = TypeVar("Answer")

log = structlog.get_logger()

RETRY_PAUSES_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)


class Retry(Exception):
    """The batch may or may not have been committed: send the same operations again."""


class TryLater(Exception):
    """This operation cannot be done just now and must not be lost: it goes to the end of the queue."""


@dataclass(slots=True, eq=False)
class _Slot(Generic[Op, Answer]):
    op: Op
    done: Event = field(default_factory=Event)
    answer: Answer | BaseException | None = None
    abandoned: bool = False
    in_doubt: bool = False  # sent, and nobody knows what became of it: must be sent until that is known

    @property
    def is_forgettable(self) -> bool:
        """Nobody waits for it, and it has certainly had no effect."""
        return self.abandoned and not self.in_doubt


@dataclass(slots=True)
class BatchStats:
    """Counters of one batcher since its start; `seconds` is time spent inside `commit`."""

    batches: int = 0
    operations: int = 0
    retries: int = 0
    seconds: float = 0.0


class GroupCommit(Generic[Op, Answer]):
    """One writer greenlet over one `commit` function.

    `orphaned(op, answer)` is called when an operation was committed after its submitter had
    stopped waiting; it must not block.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Op]], Sequence[Answer | BaseException]],
        *,
        max_batch: int = 256,
        max_queue: int = 20_000,
        orphaned: Callable[[Op, Answer | BaseException], None] | None = None,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        self._commit = commit
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._orphaned = orphaned
        self._observe = observe
        self._queue: deque[_Slot[Op, Answer]] = deque()
        self._running: list[_Slot[Op, Answer]] = []
        self._wake = Event()
        self._idle = Event()
        self._idle.set()
        self._writer: gevent.Greenlet | None = None
        self._writes_since: float | None = None
        self.stats = BatchStats()

    def submit(self, op: Op, *, timeout_seconds: float | None = None) -> Answer:
        """The operation's own answer, after the commit that holds it returned.

        Raises the operation's own exception, or `Unavailable` when the queue is full or the
        wait took longer than `timeout_seconds`. In the latter case an operation that was not
        sent yet is forgotten, and one that was is reported to `orphaned` when its fate is known.
        """
        if len(self._queue) >= self._max_queue:
            raise Unavailable
        slot = self._enqueue(op)
        try:
            slot.done.wait(timeout_seconds)
        except BaseException:  # the submitter was killed or timed out from outside
            self._abandon(slot)
            raise
        if not slot.done.is_set():  # the wait itself may have ended in the very turn in which the answer came
            self._abandon(slot)
            raise Unavailable
        if isinstance(slot.answer, BaseException):
            raise slot.answer
        return slot.answer  # type: ignore[return-value]

    def submit_kept(self, op: Op, *, timeout_seconds: float) -> Answer:
        """As `submit`, but an operation whose submitter stopped waiting is committed all the same.

        A full queue takes it: what must be kept ends work that was let in before.
        """
        slot = self._enqueue(op)
        if not slot.done.wait(timeout_seconds):
            raise Unavailable
        if isinstance(slot.answer, BaseException):
            raise slot.answer
        return slot.answer  # type: ignore[return-value]

    def enqueue(self, op: Op) -> None:
        """Queue an operation whose answer nobody waits for. It is committed in its turn, a full queue takes it too."""
        self._enqueue(op)

    def wait_idle(self, timeout_seconds: float) -> bool:
        """True once every queued operation is committed; False if that took too long."""
        return bool(self._idle.wait(timeout_seconds))

    @property
    def depth(self) -> int:
        """Operations queued or being committed."""
        return len(self._queue) + sum(not slot.done.is_set() and slot not in self._queue for slot in self._running)

    @property
    def stuck_seconds(self) -> float:
        """How long the batch in hand has been tried; 0 while none is."""
        return 0.0 if self._writes_since is None else monotonic() - self._writes_since

    def _enqueue(self, op: Op) -> _Slot[Op, Answer]:
        slot: _Slot[Op, Answer] = _Slot(op)
        self._queue.append(slot)
        self._idle.clear()
        if self._writer is None:
            self._writer = gevent.spawn(self._run)
        self._wake.set()
        return slot

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._running = self._take()
                if self._running:
                    self._writes_since = monotonic()
                    self._write(self._running)
                    self._running = []
            self._writes_since = None
            self._idle.set()

    def _take(self) -> list[_Slot[Op, Answer]]:
        """The next batch, without operations whose submitter gave up before they were sent."""
        batch: list[_Slot[Op, Answer]] = []
        while self._queue and len(batch) < self._max_batch:
            slot = self._queue.popleft()
            if not slot.is_forgettable:
                batch.append(slot)
        return batch

    def _write(self, batch: list[_Slot[Op, Answer]]) -> None:
        started = monotonic()
        try:
            answers = self._commit_until_known(batch)
        except Exception as error:  # noqa: BLE001 - the batch is poisoned; find out by whom
            if len(batch) == 1 and isinstance(error, TryLater):
                self._postpone(batch[0])
                return
            if len(batch) > 1:
                log.warning("batch_failed", operations=len(batch), error=type(error).__name__)
                for slot in batch:
                    self._write([slot])
                return
            log.error("operation_failed", operation=type(batch[0].op).__name__, exc_info=True)
            answers = [error]
        seconds = monotonic() - started
        self.stats.batches += 1
        self.stats.operations += len(batch)
        self.stats.seconds += seconds
        if self._observe:
            self._observe(len(batch), seconds)
        postponed = 0
        for slot, answer in zip(batch, answers, strict=True):
            if isinstance(answer, TryLater):
                postponed += 1
                self._queue_again(slot)
            else:
                self._acknowledge(slot, answer)
        if postponed == len(batch):
            gevent.sleep(RETRY_PAUSES_SECONDS[0])  # a lone one does not spin

    def _postpone(self, slot: _Slot[Op, Answer]) -> None:
        """Nothing of this operation was committed; others go first, and a lone one does not spin."""
        gevent.sleep(RETRY_PAUSES_SECONDS[0])
        self._queue_again(slot)

    def _queue_again(self, slot: _Slot[Op, Answer]) -> None:
        """Behind the others, unless its submitter has given up and nothing of it can have been committed."""
        self.stats.retries += 1
        if not slot.is_forgettable:
            self._queue.append(slot)

    def _commit_until_known(self, batch: list[_Slot[Op, Answer]]) -> Sequence[Answer | BaseException]:
        ops = [slot.op for slot in batch]
        attempt = 0
        while True:
            try:
                return self._commit(ops)
            except Retry as error:
                for slot in batch:
                    slot.in_doubt = True
                self.stats.retries += 1
                pause = RETRY_PAUSES_SECONDS[min(attempt, len(RETRY_PAUSES_SECONDS) - 1)]
                log.warning("commit_unknown", operations=len(ops), attempt=attempt, error=str(error.__cause__ or error))
                gevent.sleep(pause)
                attempt += 1

    def _abandon(self, slot: _Slot[Op, Answer]) -> None:
        """Its submitter waits no more. An answer that came in the same turn is nobody's."""
        slot.abandoned = True
        if slot.done.is_set() and self._orphaned:
            self._orphaned(slot.op, slot.answer)  # type: ignore[arg-type]

    def _acknowledge(self, slot: _Slot[Op, Answer], answer: Answer | BaseException) -> None:
        slot.answer = answer
        slot.done.set()
        if slot.abandoned and self._orphaned:
            self._orphaned(slot.op, answer)
