"""The last minute of the business, for the live tile: one query, a few pages of the newest rows."""

from dataclasses import dataclass

from sqlalchemy import text

from reseller.database import transaction


@dataclass(frozen=True, slots=True)
class Pulse:
    """Calls of live keys. What is a minute's was settled in the last 60 seconds."""

    in_flight: int
    calls: int
    errors: int
    charge_nano: int


_NOW = text(
    """SELECT (SELECT count(*) FROM holds WHERE NOT is_test AND draft IS NULL),
              count(*) FILTER (WHERE status <> 'refused'), count(*) FILTER (WHERE status IN ('failed', 'partial', 'voided')),
              coalesce(sum(charge_nano), 0)
         FROM usage_logs
        WHERE settled_at >= now() - interval '60 seconds' AND created_at >= now() - interval '1 day' AND NOT is_test"""
)


def pulse() -> Pulse:
    """How it is now."""
    with transaction() as session:
        row = session.execute(_NOW).one()
    return Pulse(*(int(value) for value in row))
