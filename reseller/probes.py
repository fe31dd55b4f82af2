"""DOOR: /healthz, /readyz and /metrics. Anonymous, apart from /metrics: loopback, or the METRICS_TOKEN."""

import hmac
import os
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from prometheus_client import REGISTRY as THIS_PROCESS
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from reseller.database import db
from reseller.live import LiveCalls
from reseller.metrics import flush
from reseller.schema import is_current
from reseller.wiring import wiring

LOOPBACK = ("127.0.0.1", "::1")

probes = Blueprint("probes", __name__)


@probes.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers. Nothing else is asked."""
    return {"status": "alive"}


@probes.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """200 when new work is welcome, else 503 and why."""
    checks = {"database": _database(), "migrations": _migrations(), "drain": _drain()}
    is_ready = all(said == "ok" for said in checks.values())
    return {"status": "ready" if is_ready else "not ready", "checks": checks}, 200 if is_ready else 503


@probes.get("/metrics")
def metrics() -> Response:
    """Prometheus text, summed over the web processes of this machine."""
    _may_read_metrics()
    flush()
    registry: CollectorRegistry = THIS_PROCESS
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics() -> None:
    token = wiring().settings.metrics_token.get_secret_value()
    if not token:
        if request.remote_addr in LOOPBACK and "X-Forwarded-For" not in request.headers:
            return
        abort(403, "Set METRICS_TOKEN to read metrics from elsewhere.")
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode()):
        abort(401)


def _database() -> str:
    try:
        is_closed = db.session.scalar(text("SELECT current_setting('transaction_read_only')::bool"))
        db.session.rollback()
    except SQLAlchemyError as error:
        db.session.rollback()
        return f"not reachable: {type(error).__name__}"
    return "refuses writes: a restore that has not ended, or a standby" if is_closed else "ok"


def _migrations() -> str:
    try:
        return "ok" if is_current() else "pending: run flask db upgrade"
    except SQLAlchemyError as error:
        return f"unknown: {type(error).__name__}"


def _drain() -> str:
    live = current_app.extensions["live_calls"]
    assert isinstance(live, LiveCalls)
    return "draining" if live.is_leaving else "ok"
