"""The calls an account would have made, drawn from a seeded chance. Pure: the same seed, day and goods, the same calls.

Knows nothing of balances: whether a call could be paid for is found out when the history is replayed (`replay`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import sqrt
from random import Random
from typing import Any
from uuid import UUID

from reseller.clock import day_start, instant_of
from reseller.domain.demo import cast
from reseller.domain.demo.cast import Customer, Habit
from reseller.domain.demo.goods import Good
from reseller.domain.usage import CallStatus
from reseller.errors import InvalidRequest, NotForSale, RateLimited, UpstreamBusy, UpstreamDown, UpstreamTimeout
from reseller.metering import Usage

SEED = "reseller demo 1"
OUTPUT_CAPS = (256, 512, 1024, 2048, 4096)
MISSPELT = "gpt-4o-mini"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# How calls end: status, why, and how many of 10,000.
_FATES: tuple[tuple[CallStatus, str | None, int], ...] = (
    (CallStatus.COMPLETED, None, 9_560),
    (CallStatus.FAILED, UpstreamDown.code, 60),
    (CallStatus.FAILED, UpstreamBusy.code, 50),
    (CallStatus.FAILED, UpstreamTimeout.code, 30),
    (CallStatus.ABANDONED, None, 80),
    (CallStatus.PARTIAL, UpstreamDown.code, 30),
    (CallStatus.REFUSED, RateLimited.code, 110),
    (CallStatus.REFUSED, InvalidRequest.code, 50),
    (CallStatus.REFUSED, NotForSale.code, 20),
    (CallStatus.VOIDED, None, 10),
)
_BAD_FATES = ((CallStatus.FAILED, UpstreamDown.code, 60), (CallStatus.FAILED, UpstreamTimeout.code, 40))
BAD_PERCENT = 45


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call as it would have gone if money were no matter. Times in UTC, timings in milliseconds since it began."""

    call_id: UUID
    ended_at: datetime
    good: Good
    model: str  # what was asked for; another name than the good's if it was misspelt
    status: CallStatus
    error_code: str | None
    usage: Usage
    output_cap: int
    is_stream: bool
    is_test: bool
    lot: int  # 0 to 99, by which one of the account's keys is chosen
    parameters: dict[str, Any]
    timings: dict[str, float]


def chance_of(customer: Customer) -> Random:
    """The customer's own luck, the same every time."""
    return Random(f"{SEED} {customer.email}")  # noqa: S311 - made-up history, no secret


def id_at(instant: datetime, chance: Random) -> UUID:
    """A UUIDv7 (RFC 9562) whose embedded time is this instant, to the millisecond."""
    milliseconds = (instant - _EPOCH) // timedelta(milliseconds=1)
    luck = chance.getrandbits(74)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (luck >> 62) << 64 | 0b10 << 62 | luck & (1 << 62) - 1)


def joined_at(customer: Customer, until: datetime) -> datetime:
    """When the account was opened: in the morning of its first day."""
    first = until.date() - timedelta(days=customer.joined_days_ago)
    return datetime.combine(first, time(4, 40), UTC)


def attempts(customer: Customer, goods: Mapping[str, Good], *, until: datetime, chance: Random) -> list[Attempt]:
    """Every call of the account that has ended by `until`, in the order of their ends."""
    wanted = [(goods[slug], weight) for slug, weight in customer.habit.models if slug in goods]
    choice = wanted or [(good, 1) for good in goods.values()]
    opened = joined_at(customer, until)
    drawn = (
        attempt
        for day in _days(opened, until, habit=customer.habit)
        for attempt in _calls_of(day, customer.habit, choice=choice, chance=chance)
    )
    happened = (a for a in drawn if instant_of(a.call_id) >= opened and a.ended_at <= until)
    return sorted(happened, key=lambda a: (a.ended_at, a.call_id))


@dataclass(frozen=True, slots=True)
class _Day:
    start: datetime
    age: int  # whole days before the last one
    percent: int  # of the habit's calls, by growth and weekday


def _days(opened: datetime, until: datetime, *, habit: Habit) -> Iterator[_Day]:
    span = max((until.date() - opened.date()).days, 1)
    for age in range(span, habit.left_days_ago - 1, -1):
        date = until.date() - timedelta(days=age)
        grown = habit.began_at_percent + (100 - habit.began_at_percent) * (span - age) // span
        yield _Day(day_start(date), age, grown * habit.weekdays[date.weekday()] // 100)


def _calls_of(day: _Day, habit: Habit, *, choice: Sequence[tuple[Good, int]], chance: Random) -> Iterator[Attempt]:
    expected = habit.calls_a_day * day.percent / 100
    weights = [weight for _, weight in choice]
    for _ in range(max(round(chance.gauss(expected, sqrt(expected) + expected / 10)), 0)):
        hour = chance.choices(range(24), habit.hours)[0]
        began = day.start + timedelta(hours=hour, milliseconds=chance.randrange(3_600_000))
        good, _ = chance.choices(choice, weights)[0]
        is_bad = day.age == cast.BAD_AFTERNOON_DAYS_AGO and hour in cast.BAD_AFTERNOON_HOURS and chance.randrange(100) < BAD_PERCENT
        yield _attempt(began, good, habit=habit, fates=_BAD_FATES if is_bad else _FATES, chance=chance)


def _attempt(began: datetime, good: Good, *, habit: Habit, fates: Sequence[tuple[CallStatus, str | None, int]], chance: Random) -> Attempt:
    status, error_code, _ = chance.choices(fates, [weight for _, _, weight in fates])[0]
    usage = _usage(good, habit, chance=chance)
    cap = next((cap for cap in OUTPUT_CAPS if cap >= usage.completion_tokens), OUTPUT_CAPS[-1])
    is_stream = not good.is_embedding and chance.randrange(100) < habit.stream_percent
    if status == CallStatus.ABANDONED and not is_stream:
        status = CallStatus.COMPLETED  # only a stream is hung up on
    timings = _timings(status, usage, error_code=error_code, chance=chance)
    return Attempt(
        call_id=id_at(began, chance),
        ended_at=began + timedelta(milliseconds=round(timings.get("ended_ms", 0))),
        good=good,
        model=MISSPELT if error_code == NotForSale.code else good.slug,
        status=status,
        error_code=error_code,
        usage=usage,
        output_cap=0 if good.is_embedding else cap,
        is_stream=is_stream,
        is_test=chance.randrange(100) < habit.test_percent,
        lot=chance.randrange(100),
        parameters=_parameters(good, is_stream=is_stream, cap=cap, chance=chance),
        timings=timings,
    )


def _usage(good: Good, habit: Habit, *, chance: Random) -> Usage:
    prompt = _tokens(6.6, 0.8, habit.size_percent, maximum=60_000, chance=chance)
    if good.is_embedding:
        return Usage(prompt_tokens=min(prompt, 8_000), completion_tokens=0)
    is_cached = good.rates.input_cache_read is not None and prompt > 1_024 and chance.randrange(100) < 40
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=_tokens(5.4, 0.7, (100 + habit.size_percent) // 2, maximum=OUTPUT_CAPS[-1], chance=chance),
        cached_tokens=prompt * chance.randrange(40, 85) // 100 if is_cached else 0,
    )


def _tokens(mu: float, sigma: float, percent: int, *, maximum: int, chance: Random) -> int:
    return min(max(int(chance.lognormvariate(mu, sigma)) * percent // 100, 4), maximum)


def _parameters(good: Good, *, is_stream: bool, cap: int, chance: Random) -> dict[str, Any]:
    if good.is_embedding:
        return {"stream": False}
    shown: dict[str, Any] = {"stream": is_stream, "max_tokens": cap, "messages": chance.randrange(1, 9)}
    return shown | ({"temperature": 0.7} if chance.randrange(2) else {})


def _timings(status: CallStatus, usage: Usage, *, error_code: str | None, chance: Random) -> dict[str, float]:
    """Marks as the gateway sets them; a refused call has none."""
    if status == CallStatus.REFUSED:
        return {}
    admitted = chance.uniform(1.5, 6)
    first = admitted + 60_000 if error_code == UpstreamTimeout.code else admitted + chance.lognormvariate(6, 0.5)
    ended = first + (usage.completion_tokens * chance.uniform(6, 22) if status != CallStatus.FAILED else 0)
    marks = {"admitted_ms": admitted, "sent_ms": admitted + 0.3, "first_byte_ms": first, "ended_ms": ended}
    return {name: round(value, 2) for name, value in marks.items() if status != CallStatus.FAILED or name != "first_byte_ms"}
