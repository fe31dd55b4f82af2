"""Usage patterns: which models, how large requests are, when people call, which accounts cost most."""

# ruff: noqa: S608 - put together from constants only

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from reseller.database import sort_in_memory, transaction
from reseller.domain.desk.figures import pieces
from reseller.domain.usage.period import Period
from reseller.money import to_usd

SHOWN_ACCOUNTS = 20


@dataclass(frozen=True, slots=True)
class Volume:
    """Live calls, their tokens and their money."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    charge_usd: Decimal = Decimal(0)
    cost_usd: Decimal = Decimal(0)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def tokens_per_call(self) -> Decimal | None:
        return Decimal(self.tokens) / self.calls if self.calls else None

    def __add__(self, other: "Volume") -> "Volume":
        return Volume(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.charge_usd + other.charge_usd,
            self.cost_usd + other.cost_usd,
        )


@dataclass(frozen=True, slots=True)
class ModelUse:
    model: str
    volume: Volume
    calls_before: int


@dataclass(frozen=True, slots=True)
class AccountUse:
    account_id: UUID
    name: str
    volume: Volume


@dataclass(frozen=True, slots=True)
class UsePoint:
    """One hour or day."""

    point: str
    volume: Volume


@dataclass(frozen=True, slots=True)
class PatternFigures:
    now: Volume
    before: Volume
    models: tuple[ModelUse, ...]  # the most called first
    hours: tuple[tuple[int, ...], ...]  # calls by weekday (Monday first) and hour of the viewer's zone
    accounts: tuple[AccountUse, ...]  # those that cost most, at most SHOWN_ACCOUNTS
    active_accounts: int
    curve: tuple[UsePoint, ...]


_NAMES = ("calls", "prompt_tokens", "completion_tokens", "charge_nano", "cost_usd")
_COLUMNS = ", ".join(_NAMES)
_VOLUME = ", ".join(f"sum({name}) AS {name}" for name in _NAMES)

_MODELS = f"SELECT model, {_VOLUME} FROM {pieces.traffic(f'model, {_COLUMNS}')} GROUP BY 1 HAVING sum(calls) > 0"

_HOURS = """SELECT CAST(extract(isodow FROM starts_at AT TIME ZONE :zone) AS int) - 1,
                   CAST(extract(hour FROM starts_at AT TIME ZONE :zone) AS int), sum(calls)
              FROM traffic_totals WHERE starts_at >= :start AND starts_at < :end AND NOT is_test GROUP BY 1, 2"""

# Of all accounts as little as tells who is shown; the rest for those alone.
_ACCOUNTS = f"""
WITH used AS (SELECT account_id, sum(cost) AS cost, sum(calls) AS calls, count(*) OVER () AS active
                FROM {pieces.accounts("account_id, sum(cost_usd) AS cost, sum(calls) AS calls", grouped="account_id")}
               GROUP BY 1 HAVING sum(calls) > 0),
shown AS MATERIALIZED (SELECT account_id, active FROM used ORDER BY cost DESC, calls DESC, account_id LIMIT {SHOWN_ACCOUNTS})
SELECT s.account_id, a.name, v.*, s.active FROM shown s JOIN accounts a ON a.id = s.account_id
 CROSS JOIN LATERAL (SELECT {_VOLUME} FROM {pieces.accounts(f"account_id, {_COLUMNS}")} WHERE pieces.account_id = s.account_id) v
 ORDER BY v.cost_usd DESC, v.calls DESC, s.account_id"""


def patterns(period: Period) -> PatternFigures:
    """The figures of the range and of the one before."""
    with transaction() as session:
        sort_in_memory(session)
        now = {row[0]: _volume(row[1:]) for row in pieces.fetch(session, _MODELS, period)}
        before = {row[0]: _volume(row[1:]) for row in pieces.fetch(session, _MODELS, period.before)}
        hours = [[0] * 24 for _ in range(7)]
        for weekday, hour, calls in pieces.fetch(session, _HOURS, period):
            hours[weekday][hour] = int(calls)
        accounts = pieces.fetch(session, _ACCOUNTS, period, **pieces.bounds_of_accounts(session, period))
        curve = pieces.fetch(
            session,
            f"""SELECT {pieces.point(period)}, {_VOLUME} FROM traffic_totals
                 WHERE starts_at >= :start AND starts_at < :end AND NOT is_test GROUP BY 1 ORDER BY 1""",
            period,
        )
    models = [ModelUse(model, volume, before[model].calls if model in before else 0) for model, volume in now.items()]
    return PatternFigures(
        now=sum(now.values(), Volume()),
        before=sum(before.values(), Volume()),
        models=tuple(sorted(models, key=lambda use: (-use.volume.calls, use.model))),
        hours=tuple(tuple(row) for row in hours),
        accounts=tuple(AccountUse(row[0], row[1], _volume(row[2:7])) for row in accounts),
        active_accounts=int(accounts[0][7]) if accounts else 0,
        curve=tuple(UsePoint(row[0], _volume(row[1:])) for row in curve),
    )


def _volume(sums: Sequence[Any]) -> Volume:
    calls, prompt_tokens, completion_tokens, charge_nano, cost_usd = sums
    return Volume(int(calls), int(prompt_tokens), int(completion_tokens), to_usd(int(charge_nano)), Decimal(cost_usd))
