"""Our side of a day: what was booked by model, and the calls that may be why the other side says something else.

The operator's own cost is on this side, too: what a call cost stands in its row whatever was charged. What a call that failed or
was voided cost is not known to us (R9, R10); such calls are suspects.
"""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.clock import day_start
from reseller.domain.supplier.figures import Booked, Pair
from reseller.money import format_decimal

DAY = timedelta(days=1)
LONGEST_CALL = timedelta(hours=3)
"""A call takes two hours at most; its cost may come a while later."""
SHOWN = 100

# Test keys are answered by the sandbox; a call that was refused never left.
_OURS = "upstream = :upstream AND NOT is_test AND status <> 'refused'"

_BOOKED = text(
    f"""SELECT coalesce(served_model, model) AS served, model,
               count(*) FILTER (WHERE created_at >= :start) AS calls,
               coalesce(sum(prompt_tokens) FILTER (WHERE created_at >= :start), 0) AS prompt,
               coalesce(sum(completion_tokens) FILTER (WHERE created_at >= :start), 0) AS completion,
               coalesce(sum(cost_usd) FILTER (WHERE created_at >= :start), 0) AS cost,
               coalesce(sum(cost_usd) FILTER (WHERE created_at >= :start AND settled_at >= :end), 0) AS leaving,
               coalesce(sum(cost_usd) FILTER (WHERE created_at < :start AND settled_at >= :start), 0) AS arriving
          FROM usage_logs
         WHERE created_at >= :before AND created_at < :end AND (created_at >= :start OR settled_at >= :start) AND {_OURS}
         GROUP BY 1, 2"""
)

# Why a call's cost may be another there, the likeliest first.
_WHY = """CASE WHEN status = 'voided' THEN 'voided'
               WHEN cost_usd IS NULL THEN 'missing'
               WHEN cost_source = 'estimate' THEN 'estimated'
               WHEN cost_source = 'price_snapshot' THEN 'by_price'
               WHEN flag IN ('usage_invalid', 'details_lost') THEN 'marked' END"""
WHYS = {
    "voided": "voided: our process died, nobody could tell the cost",
    "missing": "no cost is known: it failed, or the upstream's record never came",
    "estimated": "the cost is our estimate",
    "by_price": "the cost is tokens at list price",
    "marked": "what the upstream said of it could not be believed",
    "pending": "still open: its cost is not booked yet",
}

_SUSPECTS = text(
    f"""SELECT id, model, why, cost_usd, hold_usd, count(*) OVER (PARTITION BY why) AS of_kind
          FROM (SELECT id, model, {_WHY} AS why, cost_usd, hold_nano / 1000000000.0 AS hold_usd FROM usage_logs
                 WHERE created_at >= :start AND created_at < :end AND {_OURS}
                UNION ALL
                SELECT id, model, 'pending', NULL, amount_nano / 1000000000.0 FROM holds
                 WHERE created_at >= :start AND created_at < :end AND upstream = :upstream AND NOT is_test) calls
         WHERE why IS NOT NULL ORDER BY hold_usd DESC, id LIMIT 5000"""
)


@dataclass(frozen=True, slots=True)
class SuspectCall:
    """A call whose cost may be another there. `hold_usd` is the most that it was expected to come to, with our markup."""

    id: str
    model: str
    why: str  # of WHYS
    cost_usd: str | None
    hold_usd: str


@dataclass(frozen=True, slots=True)
class Suspects:
    """What may be behind a difference: calls (how many of each kind, the largest of them), and models that one side does not know."""

    counts: dict[str, int] = field(default_factory=dict)
    calls: list[SuspectCall] = field(default_factory=list)
    told_only: list[str] = field(default_factory=list)
    booked_only: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def suspects_of(kept: dict[str, Any]) -> Suspects:
    """What an item has kept."""
    return Suspects(kept["counts"], [SuspectCall(**call) for call in kept["calls"]], kept["told_only"], kept["booked_only"])


def booked_on(session: Session, upstream: str, day: date) -> list[Booked]:
    """What we booked for the day, by what answered and what was asked for."""
    start, end = span_of(day)
    params = {"upstream": upstream, "start": start, "end": end, "before": start - LONGEST_CALL}
    return [
        Booked(
            tuple(dict.fromkeys((row.served, row.model))),
            row.calls,
            int(row.prompt),
            int(row.completion),
            row.cost,
            row.leaving,
            row.arriving,
        )
        for row in session.execute(_BOOKED, params)
    ]


def suspects_on(session: Session, upstream: str, day: date, found: Iterable[Pair]) -> Suspects:
    """Where to look first."""
    start, end = span_of(day)
    rows = session.execute(_SUSPECTS, {"upstream": upstream, "start": start, "end": end}).all()
    counts = {row.why: int(row.of_kind) for row in rows}
    calls = [
        SuspectCall(
            row.id.hex, row.model, row.why, None if row.cost_usd is None else format_decimal(row.cost_usd), format_decimal(row.hold_usd)
        )
        for row in rows[:SHOWN]
    ]
    alone = [pair for pair in found if pair.told is None or pair.booked is None]
    return Suspects(
        counts,
        calls,
        told_only=[pair.model for pair in alone if pair.told is not None and pair.told.cost_usd],
        booked_only=[pair.model for pair in alone if pair.booked is not None and pair.booked.cost_usd],
    )


def span_of(day: date) -> tuple[datetime, datetime]:
    """When the UTC day begins and ends."""
    start = day_start(day)
    return start, start + DAY
