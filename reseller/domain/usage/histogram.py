"""Durations counted in fixed buckets, so that percentiles of any range come out of sums. Pure.

Bounds grow by the root of two from half a millisecond to seventeen minutes: a percentile read from the counts is
within a fifth of the true one, however the calls are grouped.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import sqrt

BOUNDS_MS: tuple[float, ...] = tuple(round(0.5 * sqrt(2) ** step, 4) for step in range(43))
BUCKETS = len(BOUNDS_MS) + 1
"""Bucket 0 lies below the first bound, bucket n at or above bound n, as PostgreSQL's width_bucket counts them."""


def bucket_of(milliseconds: float) -> int:
    """Which bucket counts this duration."""
    return bisect_right(BOUNDS_MS, milliseconds)


def percentile_ms(counts: Sequence[int], percent: int) -> float | None:
    """The duration that `percent` of the counted calls do not exceed; None if nothing was counted.

    Within a bucket the calls are taken as spread evenly on its logarithmic scale.
    """
    wanted = sum(counts) * percent / 100
    if not wanted:
        return None
    passed = 0
    for bucket, count in enumerate(counts):
        if count and passed + count >= wanted:
            low, high = _edges(bucket)
            return float(low * (high / low) ** ((wanted - passed) / count))
        passed += count
    return None


def _edges(bucket: int) -> tuple[float, float]:
    """Where a bucket begins and ends; the outermost ones are taken to be one step wide."""
    low = BOUNDS_MS[bucket - 1] if bucket else BOUNDS_MS[0] / sqrt(2)
    high = BOUNDS_MS[bucket] if bucket < len(BOUNDS_MS) else BOUNDS_MS[-1] * sqrt(2)
    return low, high
