"""What a report of an error holds: names and places. What the code worked on is not in it, whatever the error says."""

import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import structlog
from flask import Flask

from config.logging import configure_logging
from reseller import metrics
from reseller.clients import error_reports
from reseller.clients.error_reports import MOST_A_MINUTE, Dsn, ErrorReports
from reseller.database import acting_as_operator
from reseller.wiring import wiring_of
from tests import factories
from tests.fakes.receiver import Receiver

PROMPT = "the moon is a secret cheese"
PASSWORD = "correct horse battery"
ADDRESS = "203.0.113.77"
PLACES = "/api/42/envelope/"


@pytest.fixture
def dsn(receiver: Receiver) -> str:
    return receiver.url("/42").replace("//", "//public@")


@pytest.fixture
def as_in_production(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logging goes through what it goes through in a process of ours, and nowhere in the end; afterwards it is as tests have it."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging()
    structlog.configure(**{**structlog.get_config(), "logger_factory": structlog.ReturnLoggerFactory(), "cache_logger_on_first_use": False})
    root.handlers[0].stream = io.StringIO()  # type: ignore[attr-defined]
    for name, module in list(sys.modules.items()):
        if name.startswith("reseller.") and hasattr(module, "log"):
            monkeypatch.setattr(module, "log", structlog.get_logger())  # one that nobody has used yet
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def events(receiver: Receiver) -> list[dict[str, Any]]:
    """The event of each envelope, whose head tells its length."""
    found = []
    for message in receiver.at(PLACES):
        head, item, rest = message.body.split(b"\n", 2)
        assert orjson.loads(item) == {"type": "event", "length": len(rest.rstrip(b"\n"))}
        found.append(orjson.loads(rest))
        assert found[-1]["event_id"] == orjson.loads(head)["event_id"]
    return found


def told_by(dsn: str, do: Callable[[ErrorReports], None]) -> None:
    """Whatever happens inside has been reported."""
    reports = ErrorReports(dsn, environment="production", release="2026.11")
    reports.start("web")
    try:
        do(reports)
    finally:
        reports.stop(5)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://key@sentry.example/7", "https://sentry.example/api/7/envelope/"),
        ("http://key:old@10.0.0.7:9000/sentry/7/", "http://10.0.0.7:9000/sentry/api/7/envelope/"),
    ],
)
def test_a_dsn_leads_to_its_projects_envelopes(text: str, url: str) -> None:
    assert Dsn.of(text) == Dsn(url, "key")


@pytest.mark.usefixtures("as_in_production")
def test_an_error_is_told_with_its_cause_its_place_and_the_names_of_its_log_line(receiver: Receiver, dsn: str) -> None:
    def fail(_: ErrorReports) -> None:
        secret = PROMPT
        try:
            try:
                raise KeyError(secret)
            except KeyError as error:
                raise ValueError(f"cannot read {secret}") from error
        except ValueError:
            structlog.get_logger().error("job_failed", job="send letters", words=secret, exc_info=True)

    told_by(dsn, fail)

    [event] = events(receiver)
    assert [value["type"] for value in event["exception"]["values"]] == ["KeyError", "ValueError"]
    last = event["exception"]["values"][1]["stacktrace"]["frames"][-1]
    assert (last["filename"], last["function"]) == ("tests/clients/test_error_reports.py", "fail")
    assert "raise ValueError" in last["context_line"]
    assert event["tags"] == {"process": "web", "job": "send letters"}
    assert (event["logger"], event["environment"], event["release"]) == ("job_failed", "production", "2026.11")
    assert PROMPT not in str(receiver.messages)
    assert "sentry_key=public" in receiver.messages[0].headers["x-sentry-auth"]


@pytest.mark.usefixtures("as_in_production")
def test_a_library_s_error_is_told_by_the_name_of_its_logger(receiver: Receiver, dsn: str) -> None:
    def fail(_: ErrorReports) -> None:
        try:
            raise RuntimeError(PROMPT)
        except RuntimeError:
            logging.getLogger("some.library").exception("could not work on %s", PROMPT)

    told_by(dsn, fail)

    [event] = events(receiver)
    assert (event["logger"], event["tags"]) == ("some.library", {"process": "web"})
    assert PROMPT not in str(receiver.messages)


@pytest.mark.usefixtures("as_in_production")
def test_lines_without_a_traceback_and_warnings_are_not_reported(receiver: Receiver, dsn: str) -> None:
    def say(_: ErrorReports) -> None:
        structlog.get_logger().error("alarm", alarm="upstream_key_refused")
        try:
            raise RuntimeError
        except RuntimeError:
            structlog.get_logger().warning("provider_down", exc_info=True)

    told_by(dsn, say)

    assert events(receiver) == []


@pytest.mark.usefixtures("as_in_production")
def test_after_the_end_nobody_is_told(receiver: Receiver, dsn: str) -> None:
    told_by(dsn, lambda _: None)

    try:
        raise RuntimeError
    except RuntimeError:
        structlog.get_logger().error("job_failed", exc_info=True)

    assert receiver.messages == []


def test_keys_are_masked_wherever_they_stand(receiver: Receiver, dsn: str) -> None:
    key = "sk_live_abcd" + "E" * 45

    told_by(dsn, lambda reports: reports.saw("job_failed", {"job": f"with {key}"}, RuntimeError()))

    [event] = events(receiver)
    assert event["tags"]["job"] == "with sk_live_abcd…"


def test_a_flood_is_bounded_and_the_rest_counted(receiver: Receiver, dsn: str) -> None:
    def flood(reports: ErrorReports) -> None:
        for _ in range(MOST_A_MINUTE + 5):
            reports.saw("page_without_database", {}, RuntimeError())

    metrics.flush()
    before = metrics.TELEMETRY_LOST.labels(error_reports.KIND)._value.get()

    told_by(dsn, flood)

    metrics.flush()
    assert len(receiver.messages) == MOST_A_MINUTE
    assert metrics.TELEMETRY_LOST.labels(error_reports.KIND)._value.get() == before + 5


def test_a_cause_that_leads_back_to_itself_comes_to_an_end(receiver: Receiver, dsn: str) -> None:
    first, second = RuntimeError(), ValueError()
    first.__cause__, second.__cause__ = second, first

    told_by(dsn, lambda reports: reports.saw("job_failed", {}, first))

    assert [value["type"] for value in events(receiver)[0]["exception"]["values"]] == ["ValueError", "RuntimeError"]


@pytest.mark.usefixtures("as_in_production")
def test_a_page_and_a_call_that_fail_tell_nothing_of_whoever_asked(
    make_app: Callable[..., Flask], receiver: Receiver, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R37. Both fail with an error that quotes what was sent, out of a function that holds it."""
    app = make_app(SENTRY_DSN=dsn)
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), acting_as_operator():
        person = factories.make_person(usd="10")
        key = factories.make_key(person)

    def broken(*args: Any, **named: Any) -> None:
        kept = [args, named, PROMPT, PASSWORD]
        raise ValueError(f"{kept} {PROMPT} {PASSWORD} {key} {person.email}")

    monkeypatch.setattr("reseller.gateway.quoting.quote", broken)
    monkeypatch.setitem(app.view_functions, "pages.landing", broken)
    telemetry, client = wiring_of(app).telemetry, app.test_client()
    telemetry.start("web")

    call = client.post(
        "/v1/chat/completions?trace=querysecret",
        json={"model": "acme/one", "messages": [{"role": "user", "content": PROMPT}]},
        headers={"Authorization": f"Bearer {key}", "X-Forwarded-For": ADDRESS, "User-Agent": "agentsecret/1"},
    )
    client.set_cookie("session", "cookiesecret")
    page = client.get("/?q=querysecret", headers={"X-Forwarded-For": ADDRESS, "User-Agent": "agentsecret/1"})
    assert telemetry.errors is not None
    telemetry.errors.stop(5)

    assert (call.status_code, page.status_code) == (503, 500)
    of_call, of_page = events(receiver)
    assert of_call["logger"] == "request_failed"
    assert of_call["tags"]["request_id"] == call.headers["x-request-id"]
    assert re.fullmatch(r"reseller(\..*)?", of_page["logger"])
    told = b"".join(message.body for message in receiver.messages).decode()
    for secret in (
        PROMPT,
        PASSWORD,
        key,
        key[12:],
        person.email,
        ADDRESS,
        "querysecret",
        "agentsecret",
        "cookiesecret",
        str(person.account_id),
    ):
        assert secret not in told
    for part in ('"vars"', '"request"', '"user"', '"breadcrumbs"', '"value"'):
        assert part not in told
