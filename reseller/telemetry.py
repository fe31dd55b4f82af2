"""What a process tells of itself to others, if somebody asked for it: traces of calls to a collector, errors to Sentry.

Metrics are not here: those are asked for at /metrics. Off, there is nothing to start and nothing to ask.
"""

from dataclasses import dataclass
from uuid import UUID

from config import Settings
from config.settings import headers_of
from reseller.clients.error_reports import ErrorReports
from reseller.clients.traces import Traces

STOP_SECONDS = 0.5
"""For each: a collector that is away holds up no restart."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """None: nobody asked for it."""

    traces: Traces | None
    errors: ErrorReports | None

    def start(self, process: str) -> None:
        """In the process that works, after any fork; `process` is its kind."""
        if self.traces is not None:
            self.traces.start()
        if self.errors is not None:
            self.errors.start(process)

    def stop(self) -> None:
        """What waited was told, or given up."""
        if self.errors is not None:
            self.errors.stop(STOP_SECONDS)
        if self.traces is not None:
            self.traces.stop(STOP_SECONDS)


def telemetry_of(settings: Settings, process_id: UUID) -> Telemetry:
    """As the settings ask for it; nothing is connected to."""
    return Telemetry(_traces(settings, process_id), _errors(settings))


def _traces(settings: Settings, process_id: UUID) -> Traces | None:
    if not settings.otel_exporter_otlp_endpoint:
        return None
    resource = {
        "service.name": settings.otel_service_name,
        "service.instance.id": process_id.hex,
        "deployment.environment.name": settings.reseller_env,
    }
    headers = dict(headers_of(settings.otel_exporter_otlp_headers.get_secret_value()))
    return Traces(settings.otel_exporter_otlp_endpoint, headers, percent=settings.traces_percent, resource=resource)


def _errors(settings: Settings) -> ErrorReports | None:
    dsn = settings.sentry_dsn.get_secret_value()
    if not dsn:
        return None
    return ErrorReports(dsn, environment=settings.sentry_environment or settings.reseller_env, release=settings.sentry_release)
