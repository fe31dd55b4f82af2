"""What a process counts for Prometheus. Units are in the names; labels are bounded sets."""

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


def observe_batch(operations: int, seconds: float) -> None:
    BATCH_OPERATIONS.observe(operations)
    COMMIT_SECONDS.observe(seconds)
