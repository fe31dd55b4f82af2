"""What a job sets going and does not wait for: each errand in a greenlet, in an app context, acting as the operator."""

from collections.abc import Callable

import structlog
from flask import Flask, current_app
from gevent.pool import Pool

from reseller import alarms
from reseller.database import acting_as_operator, db
from reseller.silence import CLOCK_SECONDS, wait_for_each

MOST_AT_ONCE = 100

log = structlog.get_logger()


class Errands:
    """At most `most` at once. One that fails is logged, and disturbs no other."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self._pool = Pool(most)

    @property
    def places(self) -> int:
        """How many more can be begun now."""
        return max(int(self._pool.free_count()), 0)

    def begin(self, run: Callable[[], None]) -> None:
        """It runs, in the caller's app; the caller goes on at once."""
        self._pool.spawn(_run, current_app._get_current_object(), run)  # type: ignore[attr-defined]

    def finish(self, seconds: float) -> bool:
        """Whether all that was begun is done within that time."""
        return bool(self._pool.join(timeout=seconds))


def _run(app: Flask, run: Callable[[], None]) -> None:
    wait_for_each(CLOCK_SECONDS)
    with app.app_context(), acting_as_operator():
        try:
            run()
        except Exception as error:  # noqa: BLE001 - what was claimed is taken over when its lease ends
            log.error("errand_failed", exc_info=True)
            alarms.note("errand_failed", words=type(error).__name__)
        finally:
            db.session.remove()
