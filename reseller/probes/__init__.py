"""DOOR: /healthz, /readyz and /metrics. Anonymous, apart from /metrics: loopback, or the METRICS_TOKEN."""

import hmac
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reseller import web
from reseller.addresses import is_loopback
from reseller.probes import readiness
from reseller.probes.exposition import Everything
from reseller.probes.shop_figures import ShopFigures
from reseller.sampling import sample
from reseller.wiring import wiring

FIGURES = "shop_figures"

probes = Blueprint("probes", __name__)


def install(app: Flask) -> None:
    """Whoever watches this process can ask how it is."""
    app.extensions[FIGURES] = ShopFigures()
    app.extensions[readiness.DATABASE] = readiness.Database()
    app.register_blueprint(probes)
    web.exempt(app, probes)


@probes.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers. Nothing else is asked."""
    return {"status": "alive"}


@probes.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """200 when new work is welcome, else 503; either way what was looked at, and what is wrong with it."""
    checks = readiness.checks(current_app)
    is_ready = all(said == readiness.OK for said in checks.values())
    return {"status": "ready" if is_ready else "not ready", "checks": checks}, 200 if is_ready else 503


@probes.get("/metrics")
def metrics() -> Response:
    """Prometheus text: counts of the web processes of this machine, and how the whole shop stands by its database."""
    _may_read_metrics()
    sample(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way
    figures = current_app.extensions[FIGURES]
    assert isinstance(figures, ShopFigures)
    return Response(generate_latest(Everything(figures)), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics() -> None:
    token = wiring().settings.metrics_token.get_secret_value()
    if not token:
        if _is_asked_from_here():
            return
        abort(403, "Set METRICS_TOKEN to read metrics from elsewhere.")
    previous = wiring().settings.metrics_token_previous.get_secret_value()
    given = request.headers.get("Authorization", "").encode()
    if not any(hmac.compare_digest(given, f"Bearer {each}".encode()) for each in (token, previous) if each):
        abort(401)


def _is_asked_from_here() -> bool:
    """Not through a proxy on this machine: it says for whom it asks, or keeps the name that it was asked under."""
    is_near = is_loopback(request.remote_addr or "")
    return is_near and "X-Forwarded-For" not in request.headers and web.names_this_machine(request.host)
