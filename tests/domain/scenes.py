"""Customers with money and keys, operations of the till on them, and what the database says afterwards.

Each needs an app context that acts as the operator. Money is in whole nano-dollars: small numbers are easy to follow.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import gevent
import pytest
from sqlalchemy import null, select, text

from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain import books, keys, ledger, outbox
from reseller.domain.accounts import Account
from reseller.domain.calls import Admit, Outcome, PriceTerms, Settle, Till, facts_of
from reseller.domain.ledger import Balance, EntryDraft, EntryKind
from reseller.domain.limits import WINDOW_SECONDS, RateLimit, RequestCounter, SlidingWindow
from reseller.domain.pricing import HoldTerms
from reseller.domain.usage import CallStatus, CostSource
from reseller.errors import Refusal
from reseller.metering import Usage

PROCESS = UUID("01900000-0000-7000-8000-00000000d0e5")
ACTOR = "test"
RULE_TERMS = PriceTerms(price_version=0, rule_id=None, markup_percent=Decimal(25), min_cost_nano=0)
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Customer:
    account_id: UUID
    key_id: UUID
    is_test: bool = False


def customer(*, nano: int = 1_000, limits: dict[str, Any] | None = None, **key_terms: Any) -> Customer:
    """An account with this much money, one key, and no limits but those given (columns of rate_limits)."""
    account_id = new_id()
    none = dict.fromkeys(("requests_per_minute", "requests_per_hour", "requests_per_day", "concurrent_requests"), null())
    with transaction() as session:
        session.add(Account(id=account_id, name="a customer"))
        session.flush()
        session.add_all([Balance(account_id=account_id), RateLimit(account_id=account_id, **(none | (limits or {})))])
        session.add(RequestCounter(account_id=account_id))
        session.flush()
        _, key = keys.mint(account_id, name="key", actor=ACTOR, **key_terms)
        key_id, is_test = key.id, key.is_test
    made = Customer(account_id, key_id, is_test)
    if nano:
        put_in(made, nano)
    return made


def put_in(who: Customer, nano: int, *, kind: EntryKind = EntryKind.ADJUSTMENT, reference: str | None = None) -> None:
    """One more ledger entry: credit that needs no payment behind it, unless told otherwise."""
    ledger.post(EntryDraft(who.account_id, kind, nano, reference or str(new_id()), ACTOR))


def admission(who: Customer, *, hold: int = 100, per_token: int = 0, **changes: Any) -> Admit:
    """A call that wants to hold this much, and `per_token` more for each output token."""
    facts: dict[str, Any] = {
        "call_id": new_id(),
        "process_id": PROCESS,
        "endpoint": "/chat/completions",
        "model": "acme/one",
        "upstream": "openrouter",
        "is_test": who.is_test,
        "is_stream": False,
        "terms": RULE_TERMS,
        "prompt_tokens": 10,
        "output_cap": 100,
        "cap_is_clients": True,
    }
    terms = HoldTerms(base=hold, per_token=per_token, scale=1, min_cost_nano=0)
    return Admit(account_id=who.account_id, key_id=who.key_id, hold=terms, **(facts | changes))


def settlement(op: Admit, charge: int = 60, **changes: Any) -> Settle:
    """The end of that call, complete and with this charge unless told otherwise."""
    facts: dict[str, Any] = {
        "status": CallStatus.COMPLETED,
        "usage": Usage(prompt_tokens=7, completion_tokens=3),
        "cost_usd": Decimal(charge).scaleb(-9),
        "cost_source": CostSource.INLINE,
        "charge_nano": charge,
    }
    return Settle(facts_of(op), Outcome(**(facts | changes)))


def failure(op: Admit) -> Settle:
    """The end of that call without an answer: nothing is charged."""
    return Settle(facts_of(op), Outcome(status=CallStatus.FAILED, error_code="upstream_unavailable"))


def in_one_commit(till: Till, ops: Sequence[Any]) -> list[Any]:
    """The answers of one batch of exactly these operations."""
    return list(till._commit(ops))


def one_by_one(till: Till, ops: Sequence[Any]) -> list[Any]:
    """The answers of as many commits as there are operations."""
    return [in_one_commit(till, [op])[0] for op in ops]


def all_at_once(till: Till, ops: Sequence[Any]) -> list[Any]:
    """Admissions and settlements submitted together, each by a greenlet of its own: its answer, or what it raised."""

    def submit(op: Any) -> Any:
        try:
            return till.admit(op) if isinstance(op, Admit) else till.settle(op)
        except Exception as error:  # noqa: BLE001 - the error is the answer looked for
            return error

    greenlets = [gevent.spawn(submit, op) for op in ops]
    gevent.joinall(greenlets, timeout=SECONDS)
    return [greenlet.value for greenlet in greenlets]


def from_two_processes(database_url: str, work: Callable[[Till], list[Any]]) -> list[Any]:
    """What `work` answers with two tills at the same time, each with a connection and an event loop of its own."""

    def one(number: int) -> list[Any]:
        till = Till(database_url)
        try:
            return work(till)
        finally:
            till.close()
            gevent.get_hub().destroy(destroy_loop=True)

    with ThreadPoolExecutor(max_workers=2) as pool:
        return [answer for answers in pool.map(one, range(2)) for answer in answers]


def in_threads(number: int, work: Callable[[], Any]) -> list[Any]:
    """What `work` answers in each of so many threads at once."""
    with ThreadPoolExecutor(max_workers=number) as pool:
        return [future.result() for future in [pool.submit(work) for _ in range(number)]]


def rows(sql: str, **params: Any) -> list[Any]:
    """What a query finds, as mappings."""
    with transaction() as session:
        return [dict(row) for row in session.execute(text(sql), params).mappings()]


def execute(sql: str, **params: Any) -> None:
    """A statement is committed."""
    with transaction() as session:
        session.execute(text(sql), params)


def name_of(account_id: UUID) -> str:
    """What the account is called."""
    return str(rows("SELECT name FROM accounts WHERE id = :id", id=account_id)[0]["name"])


def fail_to_announce(monkeypatch: pytest.MonkeyPatch, account_id: UUID) -> None:
    """Whoever tells this account of an event dies of something unforeseen."""
    announce = outbox.announce

    def announcing(name: str, to: UUID | None, /, **payload: Any) -> UUID:
        if to == account_id:
            raise KeyError("for a test")
        return announce(name, to, **payload)

    monkeypatch.setattr(outbox, "announce", announcing)


def balance(who: Customer) -> dict[str, int]:
    """Settled, held, open calls, unposted usage and the floor that reversals made."""
    sql = """SELECT settled_nano AS settled, held_nano AS held, open_calls, unposted_nano AS unposted, reversal_floor_nano AS floor
               FROM balances WHERE account_id = :account_id"""
    return dict(rows(sql, account_id=who.account_id)[0])


def money(who: Customer) -> tuple[int, int]:
    """(settled, held)."""
    now = balance(who)
    return now["settled"], now["held"]


def holds(who: Customer) -> list[dict[str, Any]]:
    return rows("SELECT * FROM holds WHERE account_id = :account_id ORDER BY id", account_id=who.account_id)


def usage(who: Customer) -> list[dict[str, Any]]:
    return rows("SELECT * FROM usage_logs WHERE account_id = :account_id ORDER BY id", account_id=who.account_id)


def entries(who: Customer) -> list[dict[str, Any]]:
    return rows("SELECT * FROM ledger_entries WHERE account_id = :account_id ORDER BY sequence", account_id=who.account_id)


def key_of(who: Customer) -> dict[str, Any]:
    return dict(rows("SELECT * FROM api_keys WHERE id = :id", id=who.key_id)[0])


def make_it_yesterday(who: Customer) -> None:
    """What the account has been charged so far today was charged yesterday."""
    execute("UPDATE balances SET usage_day = usage_day - 1 WHERE account_id = :id", id=who.account_id)
    execute("UPDATE usage_logs SET posted_on = posted_on - 1 WHERE account_id = :id", id=who.account_id)


def problems() -> list[str]:
    """What the audit of the books complains about: nothing, if all is well (R1)."""
    return [f"{mismatch.row}: {mismatch.problem}" for mismatch in books.verify().mismatches]


def problems_of_the_ledger() -> list[str]:
    """The same of the ledger by itself, where entries of payments are made up and no payment is behind them."""
    return [f"{mismatch.row}: {mismatch.problem}" for mismatch in ledger.verify().mismatches]


def counted(who: Customer) -> dict[str, int]:
    """Calls in each window of the account."""
    row = rows("SELECT * FROM request_counters WHERE account_id = :id", id=who.account_id)[0]
    return {name: SlidingWindow(width, bytes(row[name])).used for name, width in WINDOW_SECONDS.items()}


def refused(till: Till, op: Any) -> Refusal:
    """The refusal that stands against the call."""
    with pytest.raises(Refusal) as refusal:
        till.admit(op)
    return refusal.value


def all_of(table: type[Any]) -> list[Any]:
    """Every row of the table, by its primary key."""
    with transaction() as session:
        return list(session.scalars(select(table).order_by(*table.__table__.primary_key)))
