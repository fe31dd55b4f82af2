"""Work for many, each in a transaction of its own: one that fails keeps no other's from it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")


class SomeFailed(RuntimeError):
    """Work for these failed, and was done for all others; the log has why."""


def each_by_itself(work: Callable[[T], int], subjects: Iterable[T], *, of: str, named: Callable[[T], object] = str) -> int:
    """The sum of the work for each. Raises SomeFailed once all had their turn, with the first that failed; `of` says what was done."""
    done, failed = 0, []
    for subject in subjects:
        try:
            done += work(subject)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this one's
            log.error("failed_for_one", of=of, subject=str(named(subject)), exc_info=True)
            failed.append(f"{named(subject)}: {error if isinstance(error, SomeFailed) else type(error).__name__}")
    if failed:
        raise SomeFailed(f"{of} failed for {len(failed)}, first {failed[0]}")
    return done
