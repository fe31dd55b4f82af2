"""What a process says of itself beside what it counts: looked at once a second, when figures are handed over."""

import gevent
from flask import Flask
from sqlalchemy.pool import QueuePool

from reseller import metrics
from reseller.clients.upstream import Upstream
from reseller.clock import monotonic
from reseller.database import db
from reseller.errors import UpstreamBusy
from reseller.live import LiveCalls
from reseller.wiring import wiring_of

LAG_LOOK_SECONDS = 0.1


def sample(app: Flask) -> None:
    """The gauges of this process tell how things stand now. Asks nobody, waits for nothing."""
    house, live = wiring_of(app), app.extensions["live_calls"]
    assert isinstance(live, LiveCalls)
    metrics.CALLS_IN_FLIGHT.set(len(live))
    metrics.TILL_QUEUE.set(house.till.depth)
    metrics.TILL_STUCK_SECONDS.set(house.till.stuck_seconds)
    with app.app_context():
        pool = db.engine.pool
    if isinstance(pool, QueuePool):
        metrics.POOL_IN_USE.set(pool.checkedout())
        metrics.POOL_MOST.set(pool.size() + pool._max_overflow)
    for name, upstream in house.upstreams.items():
        metrics.BREAKER_OPEN.labels(name).set(_is_refusing(upstream))
    metrics.flush()


def _is_refusing(upstream: Upstream) -> bool:
    try:
        upstream.check()
    except UpstreamBusy:
        return True
    return False


def watch_lag() -> gevent.Greenlet:
    """A greenlet that notes how late it is woken, until it is killed."""
    return gevent.spawn(_watch_lag)


def _watch_lag() -> None:
    while True:
        due_at = monotonic() + LAG_LOOK_SECONDS
        gevent.sleep(LAG_LOOK_SECONDS)
        metrics.observe(metrics.LOOP_LAG_SECONDS, max(monotonic() - due_at, 0.0))
