"""What differs between what was told and what was booked, and whether it is too much. Pure.

A call that runs across midnight is on one day with us and may be on the other there. So the cost of such calls is no difference: booked
counts as anything between without those that ended later and with those that had begun before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

TOLERANCE = Decimal("0.005")
"""R20: drift above half a percent alarms."""
FLOOR_USD = Decimal("0.01")
"""A difference of less than a cent a day is nobody's evening."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Told:
    """What the upstream says of one model on one day. `names` are all by which it calls the model."""

    model: str
    names: tuple[str, ...]
    requests: int
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal
    byok_usd: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Booked:
    """What we booked for calls of one model that began on the day, and what of it may count on another day there."""

    names: tuple[str, ...]  # what answered, then what was asked for
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal = ZERO
    leaving_usd: Decimal = ZERO  # of it, by calls that ended after the day
    arriving_usd: Decimal = ZERO  # besides, by calls that had begun the day before

    def __add__(self, other: "Booked") -> "Booked":
        return Booked(
            self.names,
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost_usd + other.cost_usd,
            self.leaving_usd + other.leaving_usd,
            self.arriving_usd + other.arriving_usd,
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of one model; None on the side that does not know it."""

    model: str
    told: Told | None
    booked: Booked | None

    @property
    def drift_usd(self) -> Decimal:
        return drift(self.told.cost_usd if self.told else ZERO, self.booked or Booked(()))

    @property
    def is_drift(self) -> bool:
        """Only where both know the model: another name for it on one side is no difference, and shows in the day's sum if it is one."""
        return self.told is not None and self.booked is not None and is_drift(self.drift_usd, self.told.cost_usd, self.booked.cost_usd)


def drift(told_usd: Decimal, booked: Booked) -> Decimal:
    """Told − booked, as far as calls across midnight do not explain it."""
    least, most = booked.cost_usd - booked.leaving_usd, booked.cost_usd + booked.arriving_usd
    return told_usd - min(max(told_usd, least), most)


def is_drift(drift_usd: Decimal, told_usd: Decimal, booked_usd: Decimal) -> bool:
    """Whether somebody has to look."""
    return abs(drift_usd) > max(FLOOR_USD, TOLERANCE * max(told_usd, booked_usd))


def total(booked: Iterable[Booked]) -> Booked:
    return sum(booked, Booked(()))


def pairs(told: Sequence[Told], booked: Sequence[Booked]) -> list[Pair]:
    """Every model that either side knows, matched by any of its names; those that cost most first."""
    names = {name: row.model for row in reversed(told) for name in (*row.names, row.model)}
    ours: dict[str, Booked] = {}
    for row in booked:
        model = _named(row.names, names)
        ours[model] = ours[model] + row if model in ours else row
    theirs = {row.model: row for row in told}
    found = [Pair(model, theirs.get(model), ours.get(model)) for model in theirs | ours]
    return sorted(found, key=lambda pair: (-_cost(pair), pair.model))


def _named(candidates: tuple[str, ...], names: Mapping[str, str]) -> str:
    """The upstream's name for one of these; a variant (`acme/one:nitro`) may be listed under its model."""
    for candidate in candidates:
        for name in (candidate, candidate.partition(":")[0]):
            if name in names:
                return names[name]
    return candidates[0]


def _cost(pair: Pair) -> Decimal:
    return max(pair.told.cost_usd if pair.told else ZERO, pair.booked.cost_usd if pair.booked else ZERO)
