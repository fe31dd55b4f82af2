"""One commit's operations: what to read for them, what was decided, what is to be written.

A batch is equal to doing its operations one by one in this order: settlements as they
arrived, then admissions as they arrived. Settlements first, because they only free money.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from reseller.batching import TryLater
from reseller.clock import instant_of, now
from reseller.domain.calls import admission, settlement
from reseller.domain.calls.admission import Admit, Admitted
from reseller.domain.calls.connection import Part
from reseller.domain.calls.settlement import Note, Record, Settle, Settled, facts_of
from reseller.domain.calls.state import AccountState, HoldState, KeyMoves, KeyState, Purse
from reseller.domain.limits import Allowance
from reseller.errors import InvalidKey, Refusal, StalePrices, Unavailable

Op = Admit | Settle | Note | Record
Answer = Admitted | Settled | None


class Batch:
    """One commit's operations, what was read for them, and what is to be written.

    `told` are refusals of admissions that a commit in doubt may have written: they stay what they are. `in_doubt` are admissions that
    such a commit may have placed: whoever took us for dead may have ended them since.
    With `skips_locked`, operations of accounts that somebody else holds are answered TryLater and nobody waits.
    """

    def __init__(
        self,
        ops: Sequence[Op],
        told: Mapping[UUID, Refusal] | None = None,
        *,
        in_doubt: Collection[UUID] = (),
        skips_locked: bool = False,
    ) -> None:
        self.ops = ops
        self.skips_locked = skips_locked
        self.busy: set[UUID] = set()  # accounts that exist and are held by somebody else
        self.told = dict(told or {})
        self.in_doubt = in_doubt
        self.admits = [op for op in ops if isinstance(op, Admit)]
        self.settles = [op for op in ops if isinstance(op, Settle)]
        self.account_ids = sorted({op.account_id for op in self.admits} | {op.account_id for op in self.settles})
        self.accounts: dict[UUID, AccountState] = {}
        self.keys: dict[UUID, KeyState] = {}
        self.purses: dict[UUID, Purse] = {}  # of those keys
        self.holds: dict[UUID, HoldState] = {}
        self.ends: dict[UUID, tuple[str, int]] = {}  # of calls that had ended before
        self.moves: dict[UUID, KeyMoves] = {}
        self.placed: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []
        self.logged: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self.noted: dict[UUID, dict[str, Any]] = {}

    def queries(self) -> list[tuple[str, list[UUID]]]:
        """What to lock and read, and nothing that no operation asks for.

        Holds are looked up for admissions too: the same id may come twice.
        """
        if not self.account_ids:
            return []
        hold_ids = [op.call_id for op in self.admits] + [op.call_id for op in self.settles]
        queries: list[tuple[str, list[UUID]]] = [
            ("till_lock_free" if self.skips_locked else "till_lock", self.account_ids),
            ("till_accounts", self.account_ids),
            ("till_holds", hold_ids),
        ]
        if self.admits:
            queries.append(("till_admitting", list({op.account_id for op in self.admits})))
            queries.append(("till_keys", list({op.key_id for op in self.admits})))
        return queries

    def load(self, results: list[list[tuple[Any, ...]]]) -> None:
        """What `queries` found, in their order."""
        if not results:
            return
        locked, accounts, holds, *admitting = results
        self.accounts = {row[0]: AccountState(*row) for row in accounts}
        self.busy = set(self.accounts) - {row[0] for row in locked}
        self.holds = {row[0]: HoldState(*row) for row in holds}
        if admitting:
            for row in admitting[0]:
                add_admitting(self.accounts[row[0]], row)
            self.keys = key_states(admitting[1])
            self.purses = {key.purse.id: key.purse for key in self.keys.values()}

    def ended_before(self) -> list[UUID]:
        """Calls that are to be settled, or admitted once more, and have no hold: they may have ended before."""
        asked: list[Settle | Admit] = [*self.settles]
        if self.in_doubt:
            asked += [op for op in self.admits if op.call_id in self.in_doubt]
        return [op.call_id for op in asked if op.call_id not in self.holds and op.account_id not in self.busy]

    def load_ends(self, rows: list[tuple[Any, ...]]) -> None:
        """How those calls had ended."""
        self.ends = {row[0]: (row[1], row[2]) for row in rows}

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
                self.refused.append(settlement.refusal_row(op.facts, op.refusal, told_at=now()))
        return [answers.get(id(op)) for op in self.ops]

    @property
    def changes_anything(self) -> bool:
        return bool(self.placed or self.ended or self.refused or self.noted)

    def to_write(self) -> list[Part]:
        """The parts of the write that have rows."""
        touched = [a for a in self.accounts.values() if a.opened or a.closed]
        moves = [_key_row(key, moves) for key, moves in self.moves.items() if moves != KeyMoves()]
        rows: dict[str, list[dict[str, Any]]] = {
            "accounts": [_account_row(account) for account in touched],
            "ended": self.ended,
            "placed": self.placed,
            "logged": self.logged,
            "refused": self.refused,
            "noted": list(self.noted.values()),
            "keyed": moves,
            "counted": [_window_row(account) for account in touched if account.counted],
            "posted": [entry for account in touched for entry in account.posted],
        }
        return [Part(name, orjson.dumps(some), len(some)) for name, some in rows.items() if some]

    def _settle(self, op: Settle) -> Answer | BaseException:
        if op.account_id in self.busy:
            return TryLater("the account is held by somebody else")
        account = self.accounts.get(op.account_id)
        if account is None:
            return Settled(0, was_open=False)
        hold = self.holds.pop(op.call_id, None)
        answer, row = settlement.decide(op, account, hold)
        if row is None or hold is None:
            return replace(answer, before=self.ends.get(op.call_id))
        self._move(op, hold, answer.charge_nano)
        purse = self.purses.get(hold.purse_id)
        if purse is not None:  # an admission of this batch may ask for room in it
            purse.settle(hold.key_amount, answer.charge_nano, account.now.date())
        self.logged.append(row)
        self.ended.append({"id": op.call_id})
        return answer

    def _move(self, op: Settle, hold: HoldState, charge: int) -> None:
        """A call has ended: its key was used, and its purse has paid."""
        key = self.moves.setdefault(hold.key_id, KeyMoves())
        key.calls += 1
        key.total += charge
        key.address = settlement.storable(op.facts.address) or key.address
        purse = self.moves.setdefault(hold.purse_id, KeyMoves())
        purse.held -= hold.key_amount
        purse.spent += charge

    def _admit(self, op: Admit) -> Answer | BaseException:
        if op.account_id in self.busy:
            return TryLater("the account is held by somebody else")
        account, key = self.accounts.get(op.account_id), self.keys.get(op.key_id)
        if account is None or key is None:
            return InvalidKey()
        known = self.holds.get(op.call_id)
        if known is not None:  # sent again after a COMMIT whose answer was lost
            cap = min(admission.allowed_cap(op, account), max(op.hold.affordable_cap(known.amount), 0) if known.amount else op.output_cap)
            return Admitted(op.call_id, known.amount, known.key_amount, cap, account.available, Allowance())
        if op.call_id in self.ends and op.call_id not in self.told:
            return Unavailable()  # it was admitted, and has ended: a second hold could never be settled
        answer = self.told.get(op.call_id) or admission.decide(op, account, key)
        if isinstance(answer, Refusal):
            if not isinstance(answer, StalePrices):
                self.told[op.call_id] = answer
                self.refused.append(settlement.refusal_row(facts_of(op), answer, account.now, told_at=now()))
            return answer
        self.holds[op.call_id] = HoldState(op.call_id, op.account_id, op.key_id, answer.hold_nano, answer.key_nano, key.purse.id)
        self.moves.setdefault(key.purse.id, KeyMoves()).held += answer.key_nano
        self.placed.append(_hold_row(op, answer))
        return answer

    def _note(self, op: Note) -> None:
        if any(ended["id"] == op.call_id for ended in self.ended):
            return
        row = self.noted.setdefault(op.call_id, {"id": op.call_id, "generation_id": None, "draft": None})
        row["generation_id"] = op.generation_id or row["generation_id"]
        row["draft"] = op.draft or row["draft"]


def key_states(rows: list[tuple[Any, ...]]) -> dict[UUID, KeyState]:
    """What READ_KEYS has found, by key. Keys of one line have one purse."""
    purses = {row[4]: Purse(*row[4:]) for row in rows}
    return {row[0]: KeyState(row[0], row[1], row[2], row[3], purses[row[4]]) for row in rows}


def add_admitting(account: AccountState, row: tuple[Any, ...]) -> None:
    """The state also knows what READ_ADMITTING has found of it."""
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


def _key_row(key_id: UUID, moves: KeyMoves) -> dict[str, Any]:
    return {
        "id": key_id,
        "held": moves.held,
        "spent": moves.spent,
        "total": moves.total,
        "calls": moves.calls,
        "address": moves.address,
    }


def _window_row(account: AccountState) -> dict[str, Any]:
    packed = {name: f"\\x{window.pack().hex()}" for name, window in account.windows.items()}
    return {"account_id": account.account_id, **packed}
