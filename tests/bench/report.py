"""From runs to a table. Medians over the rounds; ratios are taken round by round, since only those of one round compare."""

import statistics
from collections.abc import Callable, Iterator, Sequence

from tests.bench.generator import Measured
from tests.bench.scenarios import Scenario

COLUMNS = (
    "scenario", "target", "calls/s", "CPU ms/call", "(web + db)", "calls/s per core", "ratio", "p50 ms", "p99 ms",
    "first p50", "first p99", "RSS MiB", "commits/call",
)  # fmt: skip
EXPLANATION = (
    "CPU and RSS: all web processes, and PostgreSQL where there is one (CPU only). per core: calls a CPU second.",
    "ratio: of calls per core to the bare view (grown: to ten accounts without a past), median [min..max] of the rounds.",
    "latency: one connection. first: until the first event. commits/call: of the till; each call needs two things to be durable.",
)


def table(scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Lines of text, columns aligned."""
    rows = [COLUMNS, *(row for scenario in scenarios for row in _rows(scenario))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        named = "  ".join(cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True))
        yield f"{named}  " + "  ".join(cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True))
    yield ""
    yield from EXPLANATION


def added_latency(scenario: Scenario) -> Iterator[str]:
    """For the scenario that went straight to the upstream too: what each target adds to it."""
    direct = scenario.runs.get("direct")
    if not direct:
        return
    for name in ("ours", "bare"):
        runs = scenario.runs[name]
        p50 = [run.total_p50 - straight.total_p50 for run, straight in zip(runs, direct, strict=True)]
        p99 = [run.total_p99 - straight.total_p99 for run, straight in zip(runs, direct, strict=True)]
        yield f"added latency, {name}: p50 {_spread(p50, 2)} ms, p99 {_spread(p99, 2)} ms"


def _rows(scenario: Scenario) -> Iterator[tuple[str, ...]]:
    for name, runs in scenario.runs.items():
        if name == "direct":
            yield (scenario.name, name, _median(runs, lambda r: r.ok / r.seconds, 0), *["-"] * 4, *_times(scenario, runs), "-", "-")
            continue
        yield (
            scenario.name,
            name,
            _median(runs, lambda r: r.ok / r.seconds, 0),
            _milliseconds_a_call(runs, "cpu"),
            f"{_milliseconds_a_call(runs, 'web_cpu')} + {_milliseconds_a_call(runs, 'database_cpu')}",
            _median(runs, _per_core, 0),
            _ratio(scenario, name),
            *_times(scenario, runs),
            f"{max(run.resident_mib for run in runs):.0f}",
            _median(runs, lambda r: r.commits / max(r.ok, 1), 2) if runs[0].commits else "-",
        )


def _times(scenario: Scenario, runs: Sequence[Measured]) -> tuple[str, ...]:
    first = (_median(runs, lambda r: r.first_p50, 1), _median(runs, lambda r: r.first_p99, 1)) if scenario.kind.is_stream else ("-", "-")
    return _median(runs, lambda r: r.total_p50, 2), _median(runs, lambda r: r.total_p99, 2), *first


def _ratio(scenario: Scenario, name: str) -> str:
    if name == scenario.baseline:
        return "1"
    pairs = zip(scenario.runs[name], scenario.runs[scenario.baseline], strict=True)
    return _spread([_per_core(run) / _per_core(base) for run, base in pairs], 2)


def _per_core(run: Measured) -> float:
    return run.ok / max(run.cpu, 0.001)


def _milliseconds_a_call(runs: Sequence[Measured], account: str) -> str:
    return _median(runs, lambda run: 1000 * getattr(run, account) / max(run.ok, 1), 3)


def _median(runs: Sequence[Measured], figure: Callable[[Measured], float], places: int) -> str:
    return f"{statistics.median(map(figure, runs)):,.{places}f}"


def _spread(values: Sequence[float], places: int) -> str:
    middle = f"{statistics.median(values):.{places}f}"
    return middle if len(values) == 1 else f"{middle} [{min(values):.{places}f}..{max(values):.{places}f}]"
