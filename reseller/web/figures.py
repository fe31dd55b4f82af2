"""Rows of a report as figures of Plotly's: plain `data` and `layout`, which charts.js draws in the page's colours. Pure.

Dollars go as decimal strings, which Plotly reads as numbers: no float touches money (promise R16).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from reseller.money import format_decimal
from reseller.web.formats import counted

Figure = dict[str, Any]
PLAIN = ",.9~f"
"""Dollars in digits, to the last that a charge can have; by itself Plotly writes $0.0000002 as $200n (d3-format)."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def lines(points: Sequence[str], series: Mapping[str, Sequence[Any]], *, unit: str = "") -> Figure:
    """A line for each series over the points."""
    data = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": list(points), "y": [_number(v) for v in values]}
        | {"line": {"width": 2}, "marker": {"size": 4}}
        for name, values in series.items()
    ]
    return {"data": data, "layout": _layout(unit)}


def bars(points: Sequence[str], series: Mapping[str, Sequence[Any]], *, unit: str = "", colours: Mapping[str, str] | None = None) -> Figure:
    """Stacked bars over the points. `colours` are tokens of the design by series."""
    data = []
    for name, values in series.items():
        trace: Figure = {"type": "bar", "name": name, "x": list(points), "y": [_number(v) for v in values]}
        if colours and name in colours:
            trace["marker"] = {"color": f"token:{colours[name]}"}
        data.append(trace)
    return {"data": data, "layout": _layout(unit) | {"barmode": "stack"}}


def ranking(names: Sequence[str], values: Sequence[Any]) -> Figure:
    """Bars that lie, the first on top."""
    data = [{"type": "bar", "orientation": "h", "y": list(names)[::-1], "x": [_number(v) for v in values][::-1]}]
    layout = {
        "xaxis": {"rangemode": "tozero"},
        "yaxis": {"type": "category"},
        "hovermode": "closest",
        "showlegend": False,
    }
    return {"data": data, "layout": layout}


def week(hours: Sequence[Sequence[int]]) -> Figure:
    """A square for each hour of the week, the larger the more calls."""
    cells = [(hour, day, count) for day, row in enumerate(hours) for hour, count in enumerate(row)]
    most = max((count for _, _, count in cells), default=0) or 1
    marker = {
        "symbol": "square",
        "size": [4 + round(14 * count / most) for _, _, count in cells],
        "color": "token:series-1",
    }
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [hour for hour, _, _ in cells],
            "y": [WEEKDAYS[day] for _, day, _ in cells],
            "text": [f"{WEEKDAYS[day]} {hour:02}:00: {counted(count, 'call')}" for hour, day, count in cells],
            "hoverinfo": "text",
            "marker": marker,
        }
    ]
    ticks = list(range(0, 24, 3))
    layout = {
        "xaxis": {"tickvals": ticks, "ticktext": [f"{hour:02}" for hour in ticks], "range": [-0.7, 23.7], "zeroline": False},
        "yaxis": {"categoryorder": "array", "categoryarray": list(WEEKDAYS[::-1]), "showgrid": False},
        "hovermode": "closest",
        "showlegend": False,
    }
    return {"data": data, "layout": layout}


def _layout(unit: str) -> Figure:
    yaxis: Figure = {"tickprefix": unit if unit == "$" else "", "ticksuffix": "" if unit == "$" else unit}
    return {"yaxis": yaxis | {"rangemode": "tozero"} | _digits(unit), "xaxis": {"type": "category", "nticks": 10}}


def _digits(unit: str) -> Figure:
    return {"tickformat": PLAIN} if unit == "$" else {}


def _number(value: Any) -> Any:
    return format_decimal(value) if isinstance(value, Decimal) else value
