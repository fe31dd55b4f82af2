"""The till: takes holds and charges for many calls in one commit (design decisions 4 and 5).

A batch is equal to doing its operations one by one in this order: settlements as they
arrived, then admissions as they arrived. Settlements first, because they only free money.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
import structlog

from reseller.batching import GroupCommit
from reseller.clock import instant_of
from reseller.domain.calls import admission, settlement, statements
from reseller.domain.calls.admission import Admit, Admitted
from reseller.domain.calls.connection import TillConnection
from reseller.domain.calls.settlement import CallFacts, Note, Outcome, Record, Settle, Settled, facts_of
from reseller.domain.calls.state import AccountState, HoldState, KeyMoves, KeyState
from reseller.domain.limits import Allowance
from reseller.domain.usage.tables import CallStatus
from reseller.errors import InvalidKey, Refusal, StalePrices, Unavailable

log = structlog.get_logger()

Op = Admit | Settle | Note | Record
Answer = Admitted | Settled | None

ADMIT_SECONDS = 2.5
"""How long a new call waits for its hold before it is answered 503 (R13)."""

SETTLE_SECONDS = 5.0
"""How long the last bytes of an answer wait for their charge; afterwards it stays queued and lands when the database returns."""


class Till:
    """One per process. Every verb returns only after its operation is durable."""

    def __init__(self, database_url: str, *, observe: Callable[[int, float], None] | None = None) -> None:
        self._connection = TillConnection(database_url)
        self._group: GroupCommit[Op, Answer] = GroupCommit(self._commit, orphaned=self._orphaned, observe=observe)

    @property
    def stats(self) -> Any:
        return self._group.stats

    @property
    def depth(self) -> int:
        """Operations that are not durable yet."""
        return self._group.depth

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
        except psycopg.Error:
            log.critical("settlement_stripped", call_id=op.call_id.hex, exc_info=True)
            answer = self._group.submit_kept(settlement.stripped(op), timeout_seconds=SETTLE_SECONDS)
        assert isinstance(answer, Settled)
        return answer

    def pend(self, note: Note) -> None:
        """The hold stays open and the clock will ask the upstream what the call cost."""
        try:
            self._group.submit_kept(note, timeout_seconds=SETTLE_SECONDS)
        except Unavailable:
            return

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
        with self._connection.transaction() as connection:
            batch = Batch(ops)
            batch.load(connection.begin_and_read(batch.queries()))
            answers = batch.decide()
            if batch.changes_anything:
                connection.write_and_commit(statements.WRITE, batch.write_params())
            else:
                connection.end_read()
            return answers


class Batch:
    """One commit's operations, what was read for them, and what is to be written."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self.ops = ops
        self.admits = [op for op in ops if isinstance(op, Admit)]
        self.settles = [op for op in ops if isinstance(op, Settle)]
        self.account_ids = sorted({op.account_id for op in self.admits} | {op.account_id for op in self.settles})
        self.accounts: dict[UUID, AccountState] = {}
        self.keys: dict[UUID, KeyState] = {}
        self.holds: dict[UUID, HoldState] = {}
        self.moves: dict[UUID, KeyMoves] = {}
        self.placed: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []
        self.logged: list[dict[str, Any]] = []
        self.noted: list[dict[str, Any]] = []

    def queries(self) -> list[tuple[str, Any]]:
        """What to lock and read. Holds are looked up for admissions too: the same id may come twice."""
        hold_ids = [op.call_id for op in self.admits] + [op.call_id for op in self.settles]
        return [
            (statements.LOCK, (self.account_ids,)),
            (statements.READ_ACCOUNTS, (self.account_ids,)),
            (statements.READ_HOLDS, (hold_ids,)),
            (statements.READ_ADMITTING, (list({op.account_id for op in self.admits}),)),
            (statements.READ_KEYS, (list({op.key_id for op in self.admits}),)),
        ]

    def load(self, results: list[list[tuple[Any, ...]]]) -> None:
        _, accounts, holds, admitting, keys = results
        for row in accounts:
            self.accounts[row[0]] = AccountState(*row)
        for row in holds:
            self.holds[row[0]] = HoldState(*row)
        for row in admitting:
            _add_admitting(self.accounts[row[0]], row)
        for row in keys:
            self.keys[row[0]] = KeyState(*row)

    def decide(self) -> list[Answer | BaseException]:
        """One answer for each operation, in the order they came."""
        answers: dict[int, Answer | BaseException] = {}
        for settle in self.settles:
            answers[id(settle)] = self._settle(settle)
        for admit in self.admits:
            answers[id(admit)] = self._admit(admit)
        for op in self.ops:
            if isinstance(op, Note):
                self._note(op)
            elif isinstance(op, Record):
                self.logged.append(settlement.refusal_row(op.facts, op.refusal))
        return [answers.get(id(op)) for op in self.ops]

    @property
    def changes_anything(self) -> bool:
        return bool(self.placed or self.ended or self.logged or self.noted)

    def write_params(self) -> dict[str, Any]:
        touched = [a for a in self.accounts.values() if a.opened or a.closed]
        posted = [entry for account in touched for entry in account.posted]
        counted = [a for a in touched if a.counted]
        moves = [{"id": key, "held": m.held, "spent": m.spent, "calls": m.calls} for key, m in self.moves.items() if m != KeyMoves()]
        return {
            "accounts": _json(_account_row(a) for a in touched),
            "ended": _json(self.ended),
            "placed": _json(self.placed),
            "logged": _json(self.logged),
            "noted": _json(self.noted),
            "keyed": _json(moves),
            "counted": _json(_window_row(a) for a in counted),
            "posted": _json(posted),
            "n_accounts": len(touched),
            "n_ended": len(self.ended),
            "n_placed": len(self.placed),
            "n_logged": len(self.logged),
            "n_counted": len(counted),
            "n_posted": len(posted),
        }

    def _settle(self, op: Settle) -> Answer | BaseException:
        account = self.accounts.get(op.account_id)
        if account is None:
            return Settled(0, was_open=False)
        hold = self.holds.pop(op.call_id, None)
        answer, row = settlement.decide(op, account, hold, self.moves.setdefault(op.facts.key_id, KeyMoves()))
        key = self.keys.get(op.facts.key_id)
        if key is not None and hold is not None:  # an admission of this batch may ask for the same key's room
            key.settle(hold.key_amount, answer.charge_nano, account.now.date())
        if row is not None:
            self.logged.append(row)
            self.ended.append({"id": op.call_id})
        return answer

    def _admit(self, op: Admit) -> Answer | BaseException:
        account, key = self.accounts.get(op.account_id), self.keys.get(op.key_id)
        if account is None or key is None:
            return InvalidKey()
        known = self.holds.get(op.call_id)
        if known is not None:  # sent again after a COMMIT whose answer was lost
            cap = min(op.output_cap, max(op.hold.affordable_cap(known.amount), 0)) if known.amount else op.output_cap
            return Admitted(op.call_id, known.amount, known.key_amount, cap, account.available, Allowance())
        answer = admission.decide(op, account, key)
        if isinstance(answer, Refusal):
            if not isinstance(answer, StalePrices):
                self.logged.append(settlement.refusal_row(facts_of(op), answer, account.now))
            return answer
        self.holds[op.call_id] = HoldState(op.call_id, op.account_id, op.key_id, answer.hold_nano, answer.key_nano)
        self.moves.setdefault(op.key_id, KeyMoves()).held += answer.key_nano
        self.placed.append(_hold_row(op, answer))
        return answer

    def _note(self, op: Note) -> None:
        if not any(ended["id"] == op.call_id for ended in self.ended):
            self.noted.append({"id": op.call_id, "generation_id": op.generation_id, "draft": op.draft})


def _add_admitting(account: AccountState, row: tuple[Any, ...]) -> None:
    account.is_active, account.is_halted = row[1], row[2]
    account.limits = dict(zip(("minute", "hour", "day", "max_tokens", "concurrent"), row[3:8], strict=True))
    account.load_windows({"minute": row[8], "hour": row[9], "day": row[10]})
    account.price_version = row[11] or 0


def _hold_row(op: Admit, admitted: Admitted) -> dict[str, Any]:
    created: datetime = instant_of(op.call_id)
    return {
        "id": op.call_id,
        "account_id": op.account_id,
        "api_key_id": op.key_id,
        "process_id": op.process_id,
        "amount_nano": admitted.hold_nano,
        "key_nano": admitted.key_nano,
        "created_at": created,
        "endpoint": op.endpoint,
        "model": op.model,
        "upstream": op.upstream,
        "is_test": op.is_test,
        "price_version": op.terms.price_version,
        "rule_id": op.terms.rule_id,
        "markup_percent": format(op.terms.markup_percent, "f"),
        "min_cost_nano": op.terms.min_cost_nano,
        "prompt_tokens": op.prompt_tokens,
        "request_metadata": op.request_metadata,
        "chase_attempts": 0,
    }


def _account_row(account: AccountState) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "charged": account.charged,
        "released": account.released,
        "reserved": account.reserved,
        "opened": account.opened,
        "closed": account.closed,
        "usage_day": account.usage_day,
        "unposted": account.unposted,
        "entry_count": account.entry_count,
        "entries_nano": account.entries_nano,
        "last_hash": account.last_hash,
    }


def _window_row(account: AccountState) -> dict[str, Any]:
    packed = {name: f"\\x{window.pack().hex()}" for name, window in account.windows.items()}
    return {"account_id": account.account_id, **packed}


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return orjson.dumps(list(rows)).decode()
