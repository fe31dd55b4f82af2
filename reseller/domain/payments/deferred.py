"""Credit that was paid for and not used yet, at the end of each UTC day, summed once a day is over (promise R1).

Credit that was given away is used up before credit that was paid for: of what an account has, at most what it has paid in and not had
back is deferred. A day is over for good when every charge of it is an entry; later days are added up from what moved since.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import BigInteger, delete, func, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from reseller.clock import day_start, first_id
from reseller.database import Base, transaction

ONE_DAY = timedelta(days=1)
LONG_AGO = date(1970, 1, 1)


class CreditDay(Base):
    """One UTC day that is over, of all accounts together. Written once."""

    __tablename__ = "credit_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    deferred_nano: Mapped[int] = mapped_column(BigInteger)  # at its end
    owed_nano: Mapped[int] = mapped_column(BigInteger)  # at its end, by accounts below zero
    sold_nano: Mapped[int] = mapped_column(BigInteger)
    back_nano: Mapped[int] = mapped_column(BigInteger)
    given_nano: Mapped[int] = mapped_column(BigInteger)
    used_nano: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Credit:
    """One UTC day, in nano-dollars. `deferred` and `owed` are at its end; `back` is what refunds and disputes took of credit."""

    day: date
    deferred: int = 0
    owed: int = 0
    sold: int = 0
    back: int = 0
    given: int = 0
    used: int = 0


def credit_by_day(first: date, last: date) -> list[Credit]:
    """Every day from the first to the last, in turn."""
    with transaction() as session:
        closed = session.scalar(select(func.max(CreditDay.day)))
        known = _closed(session, first, last)
        begin = max(first, known[-1].day + ONE_DAY) if known else first
        if closed is None or last > closed:
            known += [row for row in _open(session, closed, last) if row.day >= begin]
        by_day = {row.day: row for row in known}
    return [by_day.get(first + number * ONE_DAY, Credit(first + number * ONE_DAY)) for number in range((last - first).days + 1)]


def close_days() -> int:
    """Days that are over and whose charges are all entries are summed for good; how many."""
    with transaction() as session:
        closed, final = session.scalar(select(func.max(CreditDay.day))), session.execute(_FINAL).scalar_one()
        if closed is not None and final <= closed:
            return 0
        rows = list(_open(session, closed, final))
        if rows:
            session.execute(insert(CreditDay), [_row(row) for row in rows])
        return len(rows)


def forget_days() -> None:
    """Every day is added up from its entries again: whoever writes a past that was not there calls this."""
    with transaction() as session:
        session.execute(delete(CreditDay))


# The last day that nothing can be added to any more: what was under way at midnight has been committed since.
_FINAL = text("""
SELECT least(CAST((now() - interval '15 minutes') AT TIME ZONE 'UTC' AS date) - 1,
             (SELECT min(usage_day) - 1 FROM balances WHERE unposted_nano > 0))""")

# What moved since a day was closed, and what each account that moved had at its end. An entry's id carries its time; a day of usage is
# an entry of the day after.
_SINCE = text("""
WITH recent AS (
    SELECT account_id, kind, amount_nano, day FROM (
        SELECT account_id, kind, amount_nano, CASE WHEN kind = 'usage' THEN CAST(split_part(reference, ':', 2) AS date)
               ELSE CAST(created_at AT TIME ZONE 'UTC' AS date) END AS day FROM ledger_entries WHERE id >= :since_id
        UNION ALL
        SELECT account_id, 'usage', -unposted_nano, usage_day FROM balances WHERE unposted_nano > 0) moves
     WHERE day > :closed
), per AS (
    SELECT account_id, day, sum(amount_nano) AS moved,
           coalesce(sum(amount_nano) FILTER (WHERE kind = 'top_up'), 0) AS sold,
           -coalesce(sum(amount_nano) FILTER (WHERE kind IN ('refund', 'dispute')), 0) AS back,
           coalesce(sum(amount_nano) FILTER (WHERE kind IN ('bonus', 'adjustment')), 0) AS given,
           -coalesce(sum(amount_nano) FILTER (WHERE kind = 'usage'), 0) AS used
      FROM recent GROUP BY 1, 2
), began AS (
    SELECT account_id, b.settled_nano - s.moved AS balance,
           (SELECT coalesce(sum(e.amount_nano), 0) FROM ledger_entries e WHERE e.account_id = s.account_id
               AND e.kind IN ('top_up', 'refund', 'dispute') AND e.created_at < :since) AS paid_in
      FROM (SELECT account_id, sum(moved) AS moved FROM per GROUP BY 1) s JOIN balances b USING (account_id)
), stood AS (
    SELECT account_id, day, sold, back, given, used, balance + sum(moved) OVER w AS balance, paid_in + sum(sold - back) OVER w AS paid_in
      FROM per JOIN began USING (account_id) WINDOW w AS (PARTITION BY account_id ORDER BY day)
    UNION ALL
    SELECT account_id, CAST(:closed AS date), 0, 0, 0, 0, balance, paid_in FROM began
), split AS (
    SELECT *, greatest(least(balance, paid_in), 0) AS deferred, greatest(-balance, 0) AS owed FROM stood
), changed AS (
    SELECT *, deferred - lag(deferred) OVER w AS deferred_more, owed - lag(owed) OVER w AS owed_more
      FROM split WINDOW w AS (PARTITION BY account_id ORDER BY day)
)
SELECT day, sum(deferred_more) AS deferred_more, sum(owed_more) AS owed_more, sum(sold) AS sold, sum(back) AS back,
       sum(given) AS given, sum(used) AS used
  FROM changed WHERE day > :closed AND day <= :last GROUP BY day ORDER BY day""")


def _closed(session: Session, first: date, last: date) -> list[Credit]:
    rows = session.scalars(select(CreditDay).where(CreditDay.day >= first, CreditDay.day <= last).order_by(CreditDay.day))
    return [Credit(row.day, row.deferred_nano, row.owed_nano, row.sold_nano, row.back_nano, row.given_nano, row.used_nano) for row in rows]


def _open(session: Session, closed: date | None, last: date) -> Iterator[Credit]:
    """Every day after the closed one, up to the last; without a closed one from the first day on which anything moved."""
    since = day_start((closed or LONG_AGO) + ONE_DAY)
    span = {"closed": closed or LONG_AGO, "since": since, "since_id": first_id(since), "last": last}
    moved = {row["day"]: row for row in session.execute(_SINCE, span).mappings()}
    before = session.get(CreditDay, closed) if closed is not None else None
    deferred, owed = (0, 0) if before is None else (before.deferred_nano, before.owed_nano)
    day = closed + ONE_DAY if closed is not None else min(moved, default=last + ONE_DAY)
    while day <= last:
        row: Any = moved.get(day)
        if row is not None:
            deferred, owed = deferred + int(row["deferred_more"]), owed + int(row["owed_more"])
        sums = (int(row[name]) if row is not None else 0 for name in ("sold", "back", "given", "used"))
        yield Credit(day, deferred, owed, *sums)
        day += ONE_DAY


def _row(credit: Credit) -> dict[str, Any]:
    names = ("deferred", "owed", "sold", "back", "given", "used")
    return {"day": credit.day, **{f"{name}_nano": getattr(credit, name) for name in names}}
