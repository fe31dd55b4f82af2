"""Slots: what processes noted of each part of the service, added up over all of them."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import delete, text

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.uptime.tables import ServiceSlot
from reseller.domain.usage.histogram import BUCKETS, bucket_of
from reseller.tally import Noted, Slot

KEPT = timedelta(days=100)

_ADD = text(
    """INSERT INTO service_slots AS s (part, starts_at, good, bad, took_ms) VALUES (:part, :starts_at, :good, :bad, :took_ms)
       ON CONFLICT (part, starts_at) DO UPDATE SET good = s.good + excluded.good, bad = s.bad + excluded.bad,
           took_ms = ARRAY(SELECT a + b FROM unnest(s.took_ms, excluded.took_ms) WITH ORDINALITY AS u(a, b, n) ORDER BY n)"""
)


def add(noted: Mapping[Slot, Noted]) -> None:
    """The slots hold this, too. In one order, so that two processes never wait for each other in a circle."""
    rows = [
        {"part": part, "starts_at": starts_at, "good": each.good, "bad": each.bad, "took_ms": _counted(each.milliseconds)}
        for (part, starts_at), each in sorted(noted.items(), key=lambda item: item[0])
    ]
    if rows:
        with transaction() as session:
            session.execute(_ADD, rows)


def forget_old() -> int:
    """Slots that no page shows any more are gone; how many were."""
    with transaction() as session:
        return int(session.execute(delete(ServiceSlot).where(ServiceSlot.starts_at < now() - KEPT)).rowcount)  # type: ignore[attr-defined]


def _counted(milliseconds: list[float]) -> list[int]:
    counts = [0] * BUCKETS
    for each in milliseconds:
        counts[bucket_of(each)] += 1
    return counts
