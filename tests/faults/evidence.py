"""What must be true when the smoke has cleared, whatever went wrong before (R1, R3, R4, R9, R11, R13)."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from reseller.domain import books
from tests.faults.clients import Received
from tests.faults.watch import BOOKS
from tests.servers import run_flask
from tests.shop import Shop, charge_for

FREE = {"refused", "failed", "voided"}
BY_BILL = {"inline", "generation"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found. Counts and amounts (nano-dollars) are those since the shop's mark.

    `unpaid` are the upstream's bills that no customer was charged for.
    """

    calls: int
    whole: int
    charged_calls: int
    charged_nano: int
    due_nano: int  # what the bills of the charged calls ask for, worked out here
    estimated: int
    unpaid: list[dict[str, Any]]
    statuses: Counter[str]
    problems: list[str]
    unsaid: int = 0  # whole answers that never said what they cost, of processes that were killed before they could settle

    @property
    def difference_nano(self) -> int:
        return self.charged_nano - self.due_nano


def gather(shop: Shop, received: Sequence[Received], *, quiet_seconds: float = 20) -> Evidence:
    """Every call has ended and the books are read. Problems are told, not raised."""
    with contextlib.suppress(AssertionError):
        shop.wait_for_quiet(quiet_seconds)  # what is open then is a problem told below
    rows = shop.query("SELECT * FROM usage_logs ORDER BY id")
    bills = {bill["id"]: bill for bill in shop.billed}
    unsaid = _unsaid(rows, received)
    problems = _charges(rows, bills) + _answers(rows, [one for one in received if one not in unsaid]) + _accounts(shop)
    problems += _audit(shop)
    paid = {row["generation_id"] for row in rows if row["charge_nano"]}
    unpaid = [bill for bill in list(bills.values())[shop.marked_bills :] if Decimal(bill["cost"]) and bill["id"] not in paid]
    rows = [row for row in rows if row["created_at"] >= shop.marked_at]
    charged = [row for row in rows if row["charge_nano"]]
    return Evidence(
        calls=len(rows),
        whole=sum(one.is_whole for one in received),
        charged_calls=len(charged),
        charged_nano=sum(row["charge_nano"] for row in charged),
        due_nano=sum(_due(row, bills) for row in charged),
        estimated=sum(row["cost_source"] not in BY_BILL for row in charged),
        unpaid=unpaid,
        statuses=Counter(row["status"] for row in rows),
        problems=problems,
        unsaid=len(unsaid),
    )


def assert_holds(shop: Shop, received: Sequence[Received], *, unpaid: int = 0, quiet_seconds: float = 20) -> Evidence:
    """Nothing is off, no call is open, and exactly so many bills are the operator's own to bear."""
    found = gather(shop, received, quiet_seconds=quiet_seconds)
    assert found.problems == []
    assert found.difference_nano == 0
    assert found.unsaid == 0
    assert len(found.unpaid) == unpaid, found.unpaid
    return found


def assert_proved_by_command(shop: Shop) -> None:
    """`flask ledger verify` agrees, in a process of its own and over the same way as the others."""
    proved = run_flask("ledger", "verify", env=shop.web.environment)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "0 open holds: all agree" in proved.stdout


def _audit(shop: Shop) -> list[str]:
    """What `flask ledger verify` finds, without the second that a command takes to start."""
    with shop.at_work():
        report = books.verify()
    found = [f"{mismatch.account_id} {mismatch.row}: {mismatch.problem}" for mismatch in report.mismatches]
    return found + ([f"{report.open_holds} open holds: {_open(shop)}"] if report.open_holds else [])


def _open(shop: Shop) -> list[dict[str, Any]]:
    """Every open hold with whose it is, for whoever has to find out why."""
    return shop.query(
        """SELECT h.id::text, h.created_at::text, h.generation_id, h.draft IS NOT NULL AS has_draft, h.chase_at::text,
                  h.chase_attempts, h.process_id::text, p.kind, p.pid, p.beat_at::text, now()::text AS at,
                  (SELECT array_agg(u.status) FROM usage_logs u WHERE u.id = h.id) AS ended_as,
                  (SELECT last_error FROM job_runs WHERE name = 'recover holds') AS recovery_said
             FROM holds h LEFT JOIN processes p ON p.id = h.process_id"""
    )


def _due(row: dict[str, Any], bills: dict[str, dict[str, Any]]) -> int:
    """By the upstream's bill; an estimate by the cost it names."""
    bill = bills.get(row["generation_id"])
    return charge_for(bill["cost"] if bill and row["cost_source"] in BY_BILL else row["cost_usd"] or Decimal(0))


def _charges(rows: Sequence[dict[str, Any]], bills: dict[str, dict[str, Any]]) -> list[str]:
    """Each charge is its bill and 25 %, to the nano-dollar, and no bill is charged twice (R4, R7)."""
    problems = []
    for row in rows:
        due = 0 if row["status"] in FREE else _due(row, bills)
        if row["charge_nano"] != due:
            problems.append(f"{row['id']} {row['status']} by {row['cost_source']}: charged {row['charge_nano']}, due {due}")
        if row["cost_source"] not in BY_BILL and row["charge_nano"] > row["hold_nano"]:
            problems.append(f"{row['id']}: an estimate of {row['charge_nano']} above its hold of {row['hold_nano']}")
        if row["charge_nano"] and row["cost_source"] in BY_BILL and row["generation_id"] not in bills:
            problems.append(f"{row['id']}: charged by a bill that nobody wrote")
    used = Counter(row["generation_id"] for row in rows if row["charge_nano"] and row["generation_id"])
    return problems + [f"{bill} is charged {times} times" for bill, times in used.items() if times > 1]


def _answers(rows: Sequence[dict[str, Any]], received: Sequence[Received]) -> list[str]:
    """Each whole answer has its one charged row; what was refused was not charged."""
    by_id: dict[UUID, list[dict[str, Any]]] = {}
    for row in rows:
        by_id.setdefault(row["id"], []).append(row)
    problems = []
    for one in received:
        mine = by_id.get(one.call_id, []) if one.call_id is not None else []
        facts = [(row["status"], row["charge_nano"]) for row in mine]
        if one.is_whole and not (len(mine) == 1 and _is_paid(mine[0])):
            problems.append(f"a whole answer to {one.call_id} with the rows {facts}")
        if one.status not in (0, 200) and any(charge for _, charge in facts):
            problems.append(f"{one.call_id} was answered {one.status} and charged: {facts}")
    return problems


def _unsaid(rows: Sequence[dict[str, Any]], received: Sequence[Received]) -> list[Received]:
    """R13 lets an answer go while the database is silent, without a cost in it; R10 voids it if its process dies before that ends."""
    voided = {row["id"] for row in rows if row["status"] == "voided"}
    return [one for one in received if one.is_whole and not one.has_cost and one.call_id in voided]


def _is_paid(row: dict[str, Any]) -> bool:
    """Completed; or ended by the clock for a process that was silent for too long and sent the rest after all."""
    is_late = row["status"] == "partial" and row["flag"] == "process_lost"
    return bool(row["charge_nano"] > 0 and (row["status"] == "completed" or is_late))


def _accounts(shop: Shop) -> list[str]:
    """Balance = money put in − charges, never below zero; nothing is held and no call is counted as open (R1, R3, R11)."""
    problems = []
    for row in shop.query(BOOKS):
        left = int(row["left_nano"])
        facts = {name: row[name] for name in ("settled_nano", "held_nano", "open_calls")}
        if facts != {"settled_nano": left, "held_nano": 0, "open_calls": 0} or left < 0:
            problems.append(f"account {row['account_id']}: {facts}, {left} should be left")
    for key in shop.query("SELECT id, held_nano FROM api_keys WHERE held_nano <> 0"):
        problems.append(f"key {key['id']} holds {key['held_nano']}")
    return problems
