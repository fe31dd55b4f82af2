"""Usage as tiles, charts and tables: what is drawn, what stands in the table below and what is exported are the same objects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import url_for

from reseller.domain.usage.breakdown import Breakdown, Figures, Group
from reseller.portal.usage.choices import MEASURES, Choices
from reseller.web import figures
from reseller.web.reports import Column, Kind, Report, Table, Tile, milliseconds

SHOWN_GROUPS = 6
"""As many as there are colours. Where there are more, the last one is all others together."""

OTHERS = "all others"
PERCENTS = (50, 95, 99)
ABOUT = "about; of completed calls"
"""Percentiles come out of buckets (`histogram`): a single call of 8.3 ms has a p50 and a p95 of its own."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of a group of calls. `unit` stands at the axis of its chart."""

    kind: Kind
    of: Callable[[Figures], Any]
    unit: str = ""


def _milliseconds(percent: int) -> Callable[[Figures], Decimal | None]:
    return lambda found: milliseconds(found.percentile_ms(percent))


OF = {
    "charge": Measure("money", lambda found: found.charge_usd, "$"),
    "calls": Measure("number", lambda found: found.calls),
    "tokens": Measure("number", lambda found: found.tokens),
    "errors": Measure("number", lambda found: found.errors + found.refused),
    "latency": Measure("ms", _milliseconds(95), " ms"),
}

SERIES: dict[str, dict[str, Callable[[Figures], Any]]] = {
    "charge": {"Charge": lambda found: found.charge_usd},
    "calls": {"Calls": lambda found: found.calls},
    "tokens": {"Prompt": lambda found: found.prompt_tokens, "Completion": lambda found: found.completion_tokens},
    "errors": {"Errors": lambda found: found.errors, "Refused": lambda found: found.refused},
    "latency": {f"p{percent}": _milliseconds(percent) for percent in PERCENTS},
}
"""What is drawn of a measure that is not divided into models or keys."""

COLOURS = {"Errors": "bad", "Refused": "warn"}

COLUMNS: tuple[tuple[Column, Callable[[Figures], Any]], ...] = (
    (Column("Calls", "number"), lambda found: found.calls),
    (Column("Errors", "number"), lambda found: found.errors),
    (Column("Refused", "number"), lambda found: found.refused),
    (Column("Prompt tokens", "number"), lambda found: found.prompt_tokens),
    (Column("Completion tokens", "number"), lambda found: found.completion_tokens),
    (Column("Charge", "money"), lambda found: found.charge_usd),
    (Column("p50 ms", "ms"), _milliseconds(50)),
    (Column("p95 ms", "ms"), _milliseconds(95)),
)


def report(found: Breakdown, choices: Choices) -> Report:
    """The page."""
    over_time = _divided(found, choices) if choices.group != "none" else _whole(found, choices)
    return Report(_tiles(found, choices), (over_time, _models(found, choices), _keys(found, choices), _week(found)))


def _tiles(found: Breakdown, choices: Choices) -> tuple[Tile, ...]:
    now, before = found.total, found.before
    calls, failed = _calls(choices), _calls(choices, status="errors")
    return (
        Tile("Charge", now.charge_usd, "money", before.charge_usd, calls),
        Tile("Calls", now.calls, before=before.calls, href=calls),
        Tile("Tokens", now.tokens, before=before.tokens, href=calls, note="prompt and completion"),
        Tile("Errors", now.errors, before=before.errors, href=failed, is_better_up=False),
        Tile(
            "Refused", now.refused, before=before.refused, href=_calls(choices, status="refused"), is_better_up=False, note="cost nothing"
        ),
        Tile("Latency p50", _milliseconds(50)(now), "ms", _milliseconds(50)(before), is_better_up=False, note=ABOUT),
        Tile("Latency p95", OF["latency"].of(now), "ms", OF["latency"].of(before), is_better_up=False, note=ABOUT),
    )


def _whole(found: Breakdown, choices: Choices) -> Table:
    """The measure over time; the table has the other figures, too."""
    labels = [_label(point.at, choices) for point in found.curve]
    series = {name: [of(point.figures) for point in found.curve] for name, of in SERIES[choices.measure].items()}
    rows = tuple((label, *(of(point.figures) for _, of in COLUMNS)) for label, point in zip(labels, found.curve, strict=True))
    return _over_time(choices, (_time(choices), *(column for column, _ in COLUMNS)), rows, (labels, series), _hrefs(found, choices))


def _divided(found: Breakdown, choices: Choices) -> Table:
    """The measure over time in a column for each model or key, and in one for all."""
    measure = OF[choices.measure]
    groups = found.models if choices.group == "model" else found.keys
    ranked = sorted((group for group in groups if measure.of(group.figures)), key=lambda group: -measure.of(group.figures))
    shown = ranked if len(ranked) <= SHOWN_GROUPS else ranked[: SHOWN_GROUPS - 1]
    rest = ranked[len(shown) :]
    names = _told_apart(shown) + ([OTHERS] if rest else [])
    labels, columns = [_label(point.at, choices) for point in found.curve], []
    for members in [[group] for group in shown] + ([rest] if rest else []):
        columns.append([measure.of(_sum([point.groups.get(group.id, Figures()) for group in members])) for point in found.curve])
    wholes = [measure.of(_sum(list(point.groups.values()))) for point in found.curve]
    rows = tuple(zip(labels, *columns, wholes, strict=True))
    heads = (_time(choices), *(Column(name, measure.kind) for name in names), Column("All", measure.kind))
    return _over_time(choices, heads, rows, (labels, dict(zip(names, columns, strict=True))), _hrefs(found, choices))


def _over_time(
    choices: Choices,
    heads: tuple[Column, ...],
    rows: tuple[tuple[Any, ...], ...],
    drawn: tuple[list[str], dict[str, list[Any]]],
    hrefs: tuple[str, ...],
) -> Table:
    labels, series = drawn
    unit = OF[choices.measure].unit
    is_line = choices.measure == "latency"
    figure = figures.lines(labels, series, unit=unit) if is_line else figures.bars(labels, series, unit=unit, colours=COLOURS)
    divided = {"none": "", "model": " by model", "key": " by key"}[choices.group]
    title = f"{MEASURES[choices.measure]}{divided}, by {'hour' if choices.is_hourly else 'day'}"
    caption = f"{MEASURES[choices.measure]}{divided}: each {'point' if is_line else 'bar'} leads to its calls"
    note = "95 of 100 completed calls took at most so long." if is_line and divided else ""
    return Table("over-time", title, heads, rows, hrefs, figure | {"links": list(hrefs)}, caption=caption, note=note)


def _models(found: Breakdown, choices: Choices) -> Table:
    hrefs = tuple(_calls(choices, model=group.id) for group in found.models)
    return Table("models", "Models", (Column("Model"), *(column for column, _ in COLUMNS)), _rows(found.models), hrefs)


def _keys(found: Breakdown, choices: Choices) -> Table:
    hrefs = tuple(_calls(choices, key=group.id) for group in found.keys)
    return Table("keys", "Keys", (Column("Key"), *(column for column, _ in COLUMNS)), _rows(found.keys), hrefs)


def _rows(groups: Sequence[Group]) -> tuple[tuple[Any, ...], ...]:
    return tuple((group.name, *(of(group.figures) for _, of in COLUMNS)) for group in groups)


def _week(found: Breakdown) -> Table:
    columns = (Column("Weekday"), *(Column(f"{hour:02}", "number") for hour in range(24)))
    rows = tuple((figures.WEEKDAYS[day], *row) for day, row in enumerate(found.week)) if found.total.calls else ()
    return Table("week", "When you call", columns, rows, caption="Calls by weekday and hour of your time zone")


def _sum(parts: list[Figures]) -> Figures:
    return sum(parts[1:], parts[0]) if parts else Figures()


def _told_apart(groups: Sequence[Group]) -> list[str]:
    """Names for columns and legends; two keys of the same name and beginning have their ids behind it."""
    names = [group.name for group in groups]
    return [name if names.count(name) == 1 else f"{name} {group.id[-6:]}" for name, group in zip(names, groups, strict=True)]


def _time(choices: Choices) -> Column:
    return Column("Hour" if choices.is_hourly else "Day")


def _label(at: datetime, choices: Choices) -> str:
    return at.strftime("%Y-%m-%d %H:00" if choices.is_hourly else "%Y-%m-%d")


def _hrefs(found: Breakdown, choices: Choices) -> tuple[str, ...]:
    """The way to the calls of each point."""
    hrefs = []
    for point in found.curve:
        day = f"{point.at:%Y-%m-%d}"
        hour = {"hour": f"{point.at:%H}"} if choices.is_hourly else {}
        hrefs.append(_calls(choices, **{"from": day, "to": day}, **hour))
    return tuple(hrefs)


def _calls(choices: Choices, **more: Any) -> str:
    """The list of the calls behind a figure: those of the range, unless told otherwise."""
    period = choices.chosen.period
    args: dict[str, Any] = {"from": period.first.isoformat(), "to": period.last.isoformat()}
    return url_for("own_usage.list_calls", **(args | choices.filters.args | more))
