"""What a process counts for Prometheus. Units are in the names; labels are bounded sets.

Each figure of a library counter is a locked write into a shared file, and a call has half a dozen of them: together
a twentieth of its processor time. So calls count into plain numbers (`count`, `observe`), and `flush` hands them over,
once a second and before this process is asked. A process that is killed loses that second of graphs, never of books.
"""

from bisect import bisect_left
from collections import defaultdict

from prometheus_client import Counter, Histogram

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
ALARMS = Counter("reseller_alarms_total", "Things that staff must look at", ["alarm"])


_counts: defaultdict[tuple[Counter, tuple[str, ...]], float] = defaultdict(float)
_observed: defaultdict[tuple[Histogram, int], list[float]] = defaultdict(list)
_bounds: dict[Histogram, list[float]] = {}


def count(counter: Counter, *labels: str, by: float = 1) -> None:
    """The counter (of these labels) is higher by that much after the next flush."""
    _counts[counter, labels] += by


def observe(histogram: Histogram, value: float) -> None:
    """The histogram knows the value after the next flush."""
    bounds = _bounds.get(histogram)
    if bounds is None:
        bounds = _bounds[histogram] = list(histogram._upper_bounds)
    _observed[histogram, bisect_left(bounds, value)].append(value)


def flush() -> None:
    """Everything counted so far is in the library's figures."""
    counts, observed = dict(_counts), dict(_observed)
    _counts.clear()
    _observed.clear()
    for (counter, labels), amount in counts.items():
        (counter.labels(*labels) if labels else counter).inc(amount)
    for (histogram, bucket), values in observed.items():
        # What `Histogram.observe` does for one value (prometheus_client 0.26), for many of one bucket at once.
        histogram._sum.inc(sum(values))
        histogram._buckets[bucket].inc(len(values))


def observe_batch(operations: int, seconds: float) -> None:
    observe(BATCH_OPERATIONS, operations)
    observe(COMMIT_SECONDS, seconds)
