"""What a process counts for Prometheus. Units are in the names; labels are bounded sets.

Each figure of a library counter is a locked write into a shared file, and a call has half a dozen of them: together
a twentieth of its processor time. So calls count into plain numbers (`count`, `observe`), and `flush` hands them over,
once a second and before this process is asked. A process that is killed loses that second of graphs, never of books.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Container

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("reseller_calls_total", "Paid calls by endpoint and outcome", ["endpoint", "outcome"])
ADDED_SECONDS = Histogram(
    "reseller_added_latency_seconds",
    "Time we add before the upstream is asked: read, price, admit",
    buckets=(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0),
)
FIRST_BYTE_SECONDS = Histogram(
    "reseller_first_byte_seconds", "From sending a call to the upstream's first byte", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
)
CHARGED_USD = Counter("reseller_charged_usd_total", "Charges to customers in US dollars, for a rate; the books are in the database")
BATCH_OPERATIONS = Histogram("reseller_batch_operations", "Operations that shared one commit", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256))
COMMIT_SECONDS = Histogram(
    "reseller_commit_seconds", "Duration of one commit of the till", buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.05, 0.25, 1, 5)
)
SETTLE_SECONDS = Histogram(
    "reseller_settle_seconds",
    "Time we add after the upstream's answer: until its charge is durable",
    buckets=(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
UPSTREAM_CALLS = Counter(
    "reseller_upstream_calls_total", "Calls that were let in, by upstream, model and what became of them", ["upstream", "model", "outcome"]
)
LIMIT_HITS = Counter("reseller_limit_hits_total", "Calls refused by a limit: minute, hour, day, at_once, key_spend", ["limit"])
BALANCE_REFUSALS = Counter("reseller_balance_refusals_total", "Calls refused because the balance does not cover them", ["reason"])
ALARMS = Counter("reseller_alarms_total", "Things that staff must look at", ["alarm"])
TELEMETRY_LOST = Counter(
    "reseller_telemetry_lost_total", "Traces and error reports that their receiver did not take, or that were too many", ["kind"]
)
HEARTBEAT_FAILURES = Counter("reseller_heartbeat_failures_total", "Looks at the database, one a second, that found no answer")
LOOP_LAG_SECONDS = Histogram(
    "reseller_loop_lag_seconds",
    "How late this process wakes up: time in which it did something else without letting go",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)

CALLS_IN_FLIGHT = Gauge("reseller_calls_in_flight", "Calls between admission and settlement", multiprocess_mode="livesum")
TILL_QUEUE = Gauge("reseller_till_queue", "Operations that are not durable yet", multiprocess_mode="livesum")
TILL_STUCK_SECONDS = Gauge("reseller_till_stuck_seconds", "How long the commit in hand has been tried", multiprocess_mode="livemax")
POOL_IN_USE = Gauge("reseller_db_pool_in_use", "Connections of pages and reads that are taken", multiprocess_mode="livesum")
POOL_MOST = Gauge("reseller_db_pool_most", "Connections that may be taken", multiprocess_mode="livesum")
BREAKER_OPEN = Gauge("reseller_breaker_open", "1 while calls to this upstream are refused", ["upstream"], multiprocess_mode="livemax")

MOST_MODELS = 200
OTHER = "other"
TEST_MODEL = "test"
"""Of every call with a test key, which may ask for whatever name comes to mind."""


class Names:
    """The values of one label. The first `most` of them keep their name, the rest share one, so that no label grows for ever."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        """The name, or OTHER."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(name)
        return name


models = Names(MOST_MODELS)


_counts: defaultdict[tuple[Counter, tuple[str, ...]], float] = defaultdict(float)
_ended: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
_observed: defaultdict[tuple[Histogram, int], list[float]] = defaultdict(list)
_bounds: dict[Histogram, list[float]] = {}


def count(counter: Counter, *labels: str, by: float = 1) -> None:
    """The counter (of these labels) is higher by that much after the next flush."""
    _counts[counter, labels] += by


def count_ended(endpoint: str, upstream: str, model: str, outcome: str) -> None:
    """A call that was let in has ended: one count for both families that tell of it."""
    _ended[endpoint, upstream, model, outcome] += 1


def observe(histogram: Histogram, value: float) -> None:
    """The histogram knows the value after the next flush."""
    bounds = _bounds.get(histogram)
    if bounds is None:
        bounds = _bounds[histogram] = list(histogram._upper_bounds)
    _observed[histogram, bisect_left(bounds, value)].append(value)


def flush() -> None:
    """Everything counted so far is in the library's figures."""
    counts, ended, observed = dict(_counts), dict(_ended), dict(_observed)
    _counts.clear()
    _ended.clear()
    _observed.clear()
    for (endpoint, upstream, model, outcome), calls in ended.items():
        CALLS.labels(endpoint, outcome).inc(calls)
        UPSTREAM_CALLS.labels(upstream, models.of(model), outcome).inc(calls)
    for (counter, labels), amount in counts.items():
        (counter.labels(*labels) if labels else counter).inc(amount)
    for (histogram, bucket), values in observed.items():
        # What `Histogram.observe` does for one value (prometheus_client 0.26), for many of one bucket at once.
        histogram._sum.inc(sum(values))
        histogram._buckets[bucket].inc(len(values))


def count_error(event: str, *, counted: Container[str]) -> None:
    """An error line of ours is an alarm of that name, unless it is one of those that are counted where they are sounded."""
    if event not in counted:
        count(ALARMS, event)


def alarm_totals() -> dict[str, int]:
    """How often this process has raised each alarm."""
    flush()
    samples = (sample for family in ALARMS.collect() for sample in family.samples if sample.name.endswith("_total"))
    return {sample.labels["alarm"]: int(sample.value) for sample in samples}


def observe_batch(operations: int, seconds: float) -> None:
    observe(BATCH_OPERATIONS, operations)
    observe(COMMIT_SECONDS, seconds)
