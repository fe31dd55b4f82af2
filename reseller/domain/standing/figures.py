"""Money and the day so far of accounts that somebody watches: one question for all of them, and one more for each that has changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from reseller.clock import monotonic
from reseller.database import transaction
from reseller.domain.ledger import BalanceNow
from reseller.domain.usage.pace import Today, today_of

MOST_COUNTED = 20
"""Days that are counted anew in one look; the rest have their turn in the next one."""

COUNTED_FOR_SECONDS = 30.0
"""Then a day is counted anew although nothing has moved: another day may have begun."""

# A call moves the balance, the number of open calls, or at least the counters of its account.
_MARKS = text("""
SELECT b.account_id, b.settled_nano, b.held_nano, b.open_calls, hashtext(encode(c.minute, 'hex')) AS counted
  FROM balances b JOIN request_counters c USING (account_id) WHERE b.account_id = ANY(:account_ids)""")

Topic = tuple[UUID, str]
"""An account, and the time zone whose day is counted."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One account at one instant."""

    balance: BalanceNow
    today: Today


@dataclass(slots=True)
class _Counted:
    mark: tuple[int, ...]
    at: float
    today: Today


def figures_of(account_id: UUID, zone: ZoneInfo) -> Figures:
    """The account as it is now."""
    with transaction() as session:
        row = session.execute(_MARKS, {"account_ids": [account_id]}).one()
        return Figures(BalanceNow(row.settled_nano, row.held_nano, row.open_calls), today_of(account_id, zone))


class Changes:
    """What is known of the topics that are watched. Forgets those that are not any more."""

    def __init__(self) -> None:
        self._counted: dict[Topic, _Counted] = {}

    def look(self, topics: Collection[Topic]) -> Mapping[Topic, Figures]:
        """The figures of these topics; one whose day was never counted yet is left out until its turn."""
        found: dict[Topic, tuple[BalanceNow, tuple[int, ...]]] = {}
        with transaction() as session:
            rows = session.execute(_MARKS, {"account_ids": list({account_id for account_id, _ in topics})}).all()
        marks = {row.account_id: row for row in rows}
        for topic in topics:
            row = marks.get(topic[0])
            if row is not None:
                found[topic] = (BalanceNow(row.settled_nano, row.held_nano, row.open_calls), tuple(row)[1:])
        self._counted = {topic: counted for topic, counted in self._counted.items() if topic in found}
        self._count({topic: mark for topic, (_, mark) in found.items()})
        return {topic: Figures(balance, self._counted[topic].today) for topic, (balance, _) in found.items() if topic in self._counted}

    def _count(self, marks: Mapping[Topic, tuple[int, ...]]) -> None:
        """Days that may have changed are counted anew, those that waited longest first."""
        at = monotonic()
        due = [topic for topic, mark in marks.items() if self._is_due(topic, mark, at)]
        for topic in sorted(due, key=self._counted_at)[:MOST_COUNTED]:
            account_id, zone = topic
            self._counted[topic] = _Counted(marks[topic], at, today_of(account_id, ZoneInfo(zone)))

    def _is_due(self, topic: Topic, mark: tuple[int, ...], at: float) -> bool:
        known = self._counted.get(topic)
        return known is None or known.mark != mark or at - known.at >= COUNTED_FOR_SECONDS

    def _counted_at(self, topic: Topic) -> float:
        known = self._counted.get(topic)
        return known.at if known is not None else 0.0
