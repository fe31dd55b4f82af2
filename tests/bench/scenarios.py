"""What is measured: scenarios in interleaved rounds, so that ours and the bare view see the same machine."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.answers import BURST, SLOW, WHOLE, Kind
from tests.bench.generator import Measured, Size, Target
from tests.bench.stack import Stack

CONNECTIONS = 32
RAMP_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often."""

    rounds: int
    seconds: float
    latency_rounds: int  # a slice of each target in turn
    latency_seconds: float
    streams: int
    stream_rounds: int
    calls_each: int = 2


# Many short rounds rather than few long ones: the neighbours of a shared machine come and go within seconds.
QUICK = Plan(rounds=2, seconds=0.8, latency_rounds=3, latency_seconds=0.3, streams=100, stream_rounds=1, calls_each=1)
DEFAULT = Plan(rounds=7, seconds=1.2, latency_rounds=8, latency_seconds=0.4, streams=200, stream_rounds=2)
FULL = Plan(rounds=15, seconds=1.5, latency_rounds=15, latency_seconds=0.5, streams=1000, stream_rounds=4)


@dataclass(slots=True)
class Scenario:
    """One scenario and, as it proceeds, the runs of each target by name, round by round."""

    name: str
    kind: Kind
    rounds: int
    size: Size
    targets: tuple[str, ...] = ("ours", "bare")
    baseline: str = "bare"
    runs: dict[str, list[Measured]] = field(default_factory=dict)


def scenarios_of(plan: Plan) -> list[Scenario]:
    """Every scenario of a plan, nothing measured yet."""
    crowd = Size(CONNECTIONS, seconds=plan.seconds)
    streams = Size(plan.streams, calls_each=plan.calls_each, ramp_seconds=RAMP_SECONDS)
    return [
        Scenario("whole", WHOLE, plan.rounds, crowd),
        Scenario("latency", WHOLE, plan.latency_rounds, Size(1, seconds=plan.latency_seconds), ("ours", "bare", "direct")),
        Scenario("burst", BURST, plan.rounds, crowd),
        Scenario("grown", WHOLE, plan.rounds, crowd, ("ten", "thousand"), "ten"),
        Scenario("slow", SLOW, plan.stream_rounds, streams),
    ]


def warm_up(stack: Stack, tally: "Tally") -> None:
    """Connections are open, statements prepared, every key known. Raises RuntimeError if ours does not answer at all."""
    for target in stack.targets:
        for kind in (WHOLE, BURST):
            size = Size(CONNECTIONS, calls_each=max(10, len(target.keys) // CONNECTIONS + 1))
            tally.add(target, kind, stack.generator.run(target, kind, size))
    if not tally.charged.total():
        raise RuntimeError(f"no right answer: {tally.problems}\n{stack.end_of_log('web')}")


def measure(stack: Stack, scenarios: Sequence[Scenario], tally: "Tally", tell: Callable[[str], None]) -> None:
    """Every scenario has its runs."""
    for scenario in scenarios:
        for target in _interleaved([stack.target(name) for name in scenario.targets], scenario.rounds):
            run = stack.generator.run(target, scenario.kind, scenario.size)
            tally.add(target, scenario.kind, run)
            scenario.runs.setdefault(target.name, []).append(run)
        tell(f"{scenario.name} measured")


def _interleaved(targets: Sequence[Target], rounds: int) -> Iterator[Target]:
    """Each target once a round, the order rotating."""
    for number in range(rounds):
        shift = number % len(targets)
        yield from (*targets[shift:], *targets[:shift])


@dataclass(slots=True)
class Tally:
    """Every answer that was counted: right ones of ours by kind, and wrong ones of anybody."""

    charged: Counter[tuple[str, Kind]] = field(default_factory=Counter)  # by database
    failed: Counter[str] = field(default_factory=Counter)
    problems: dict[tuple[str, str], str] = field(default_factory=dict)  # the first of each target and kind

    @property
    def books(self) -> list[str]:
        """The databases that anything was charged in."""
        return sorted({book for book, _ in self.charged})

    def of(self, book: str) -> Counter[Kind]:
        """Right answers by kind that this database has charged."""
        return Counter({kind: count for (name, kind), count in self.charged.items() if name == book})

    def add(self, target: Target, kind: Kind, run: Measured) -> None:
        if target.is_charged:
            self.charged[target.book, kind] += run.ok
            self.failed[target.book] += run.bad
        if run.bad:
            sentence = f"{target.name}, {kind.name}: {run.bad} wrong answers in one run, the first: {run.first_bad}"
            self.problems.setdefault((target.name, kind.name), sentence)
