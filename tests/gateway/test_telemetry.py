"""Traces and error reports of a running shop: what its processes tell a collector and Sentry, and that neither is ever waited for."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import orjson
import psycopg
import pytest
from flask import Flask

from config import SettingsRefused
from config.reading import read_settings
from reseller.wiring import wiring_of
from tests.deployment import Cluster
from tests.fakes.receiver import Receiver
from tests.gateway.raw import RawClient
from tests.servers import run_flask
from tests.shop import SLUG, Customer, Shop, open_shop
from tests.waiting import wait_until

TRACES, REPORTS = "/v1/traces", "/api/42/envelope/"
PROMPT = "the moon is a secret cheese"
THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"
"""A trace id of the client's own."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def watched(cluster: Cluster, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of two web processes whose traces and errors go to the receiver."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url(""), "SENTRY_DSN": receiver.url("/42").replace("//", "//public@")}
    with open_shop(cluster, tmp_path_factory.mktemp("watched"), WEB_CONCURRENCY="2", OTEL_SERVICE_NAME="acme", **told) as opened:
        yield opened


def spans(receiver: Receiver) -> list[dict[str, Any]]:
    """Every span that has come."""
    documents = [orjson.loads(message.body) for message in receiver.at(TRACES)]
    return [span for each in documents for span in each["resourceSpans"][0]["scopeSpans"][0]["spans"]]


def trace_of(receiver: Receiver, call_id: str) -> dict[str, dict[str, Any]]:
    """The spans of one call by their names, once they are there; the call's own is `call`."""
    found = wait_until(lambda: [span for span in spans(receiver) if span["traceId"] == call_id])
    return {span["name"] if "parentSpanId" in span else "call": span for span in found}


def facts_of(span: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def say(customer: Customer, model: str = SLUG, **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **more}
    return customer.call("/v1/chat/completions", body, headers={"traceparent": f"00-{THEIRS}-00f067aa0ba902b7-01", "baggage": "a=b"})


def call_id(answer: Any) -> str:
    return str(answer.headers["x-request-id"]).removeprefix("req_")


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_call_is_a_trace_of_its_steps_under_its_own_id(watched: Shop, receiver: Receiver, is_stream: bool) -> None:
    customer = watched.customer()

    answer = say(customer, "fake/slow-start", stream=is_stream)

    found = trace_of(receiver, call_id(answer))
    assert set(found) == {"call", "admit", "upstream", "settle"}
    at = {name: (int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])) for name, span in found.items()}
    assert at["call"][0] == at["admit"][0] < at["admit"][1] <= at["upstream"][0] < at["upstream"][1] <= at["settle"][0] < at["settle"][1]
    assert at["settle"][1] == at["call"][1]
    assert at["upstream"][1] - at["upstream"][0] > 250_000_000, "fake/slow-start waits 300 ms"
    assert abs(at["call"][0] - customer.row["created_at"].timestamp() * 1e9) < 60e9
    assert facts_of(found["call"]) == {
        "http.request.method": "POST",
        "http.route": "/chat/completions",
        "http.response.status_code": "200",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "fake/slow-start",
        "reseller.request_id": answer.headers["x-request-id"],
        "reseller.outcome": "completed",
        "reseller.upstream": "openrouter",
        "reseller.is_stream": is_stream,
        "reseller.is_test": False,
    }


def test_who_has_no_money_is_a_trace_that_ends_at_the_door(watched: Shop, receiver: Receiver) -> None:
    answer = say(watched.customer(usd="0"))

    found = trace_of(receiver, call_id(answer))
    assert set(found) == {"call", "admit"}
    facts = facts_of(found["call"])
    assert (facts["reseller.outcome"], facts["error.type"], facts["http.response.status_code"]) == (
        "refused",
        "insufficient_credits",
        "402",
    )
    assert "gen_ai.request.model" not in facts
    assert found["call"]["status"] == {"code": 2, "message": "insufficient_credits"}


def test_a_failing_upstream_and_a_stream_that_breaks_off_are_told_apart(watched: Shop, receiver: Receiver) -> None:
    customer = watched.customer()

    failed, broken = say(customer, "fake/status-502"), say(customer, "fake/error-mid-stream", stream=True)

    of_failed = facts_of(trace_of(receiver, call_id(failed))["call"])
    of_broken = facts_of(trace_of(receiver, call_id(broken))["call"])
    assert (of_failed["reseller.outcome"], of_failed["http.response.status_code"]) == ("failed", "502")
    assert (of_broken["reseller.outcome"], of_broken["http.response.status_code"]) == ("partial", "200")
    assert "error.type" in of_broken


def test_a_stream_that_fails_before_any_output_was_begun_all_the_same(watched: Shop, receiver: Receiver) -> None:
    watched.fake.script("/chat/completions", {"cut_after": 1, "cut": "error"})

    facts = facts_of(trace_of(receiver, call_id(say(watched.customer(), stream=True)))["call"])

    assert (facts["reseller.outcome"], facts["http.response.status_code"]) == ("failed", "200")


def test_a_client_that_hangs_up_has_its_trace(watched: Shop, receiver: Receiver) -> None:
    with RawClient(watched.customer()) as client:
        client.ask("fake/stall-mid-stream", stream=True)
        head = client.read_until(b"data: ").decode().lower()
    call = head.partition("x-request-id: req_")[2].partition("\r")[0]

    facts = facts_of(trace_of(receiver, call)["call"])

    assert (facts["reseller.outcome"], facts["error.type"]) == ("abandoned", "client_disconnected")


def test_traces_hold_no_prompt_key_account_or_address_and_no_trace_of_the_clients(watched: Shop, receiver: Receiver) -> None:
    """R37. The client's own trace is neither joined nor sent upstream, nor is ours."""
    customer = watched.customer()

    answer = say(customer)

    trace_of(receiver, call_id(answer))
    told = b"".join(message.body for message in receiver.at(TRACES)).decode()
    for secret in (PROMPT, customer.key, customer.key[12:], str(customer.person.account_id), customer.person.email, "127.0.0.1", THEIRS):
        assert secret not in told
    with watched.fake.lock:
        sent = [name for request in watched.fake.requests for name, _ in request["headers"]]
    assert not {"traceparent", "tracestate", "baggage"} & set(sent)


def test_every_process_says_which_one_it_is(watched: Shop, receiver: Receiver) -> None:
    customer = watched.customer()

    def processes() -> set[str]:
        say(customer)
        resources = [orjson.loads(message.body)["resourceSpans"][0]["resource"] for message in receiver.at(TRACES)]
        told = [facts_of(resource) for resource in resources]
        assert {facts["service.name"] for facts in told} <= {"acme"}
        return {facts["service.instance.id"] for facts in told}

    wait_until(lambda: len(processes()) == 2)


def test_an_error_in_a_call_and_one_on_a_page_are_reported_without_a_word_of_whoever_asked(watched: Shop, receiver: Receiver) -> None:
    """A table is away, so what reads it fails in the middle of a request."""
    customer, token = watched.customer(), "linksecret" * 4
    with psycopg.connect(watched.admin_url, autocommit=True) as admin:
        for table in ("api_keys", "links"):
            admin.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
        try:
            call = say(customer)
            page = watched.call(f"/reset/{token}?q=querysecret", headers={"Cookie": "session=cookiesecret", "User-Agent": "agentsecret/1"})
        finally:
            for table in ("api_keys", "links"):
                admin.execute(f"ALTER TABLE {table}_away RENAME TO {table}")

    assert (call.status, page.status) == (503, 500)
    receiver.await_at(REPORTS, 2)
    reports = {event["logger"]: event for event in reported(receiver)}
    assert reports["request_failed"]["tags"] == {"process": "web", "request_id": call.headers["x-request-id"]}
    assert reports["reseller"]["exception"]["values"][-1]["type"] == "ProgrammingError"
    told = b"".join(message.body for message in receiver.at(REPORTS)).decode()
    for secret in (PROMPT, customer.key, customer.key[12:], "127.0.0.1", token, "querysecret", "cookiesecret", "agentsecret"):
        assert secret not in told
    assert '"vars"' not in told


def reported(receiver: Receiver) -> list[dict[str, Any]]:
    """The event of each report that has come."""
    return [orjson.loads(message.body.split(b"\n", 2)[2]) for message in receiver.at(REPORTS)]


def test_a_collector_that_hangs_is_not_waited_for(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither by calls nor by the end of the server, which has settled them all."""
    with Receiver() as deaf:
        deaf.behave(TRACES, "hang")
        with open_shop(cluster, tmp_path_factory.mktemp("deaf"), OTEL_EXPORTER_OTLP_ENDPOINT=deaf.url("")) as shop:
            customer = shop.customer()
            assert customer.chat().status == 200
            deaf.await_at(TRACES)

            assert [customer.chat().status for _ in range(5)] == [200] * 5

            assert shop.web.stop() == 0
            assert len(customer.rows) == 6
            assert "Traceback" not in shop.web.log


def test_a_worker_reports_the_job_that_failed(watched: Shop, receiver: Receiver) -> None:
    with psycopg.connect(watched.admin_url, autocommit=True) as admin:
        admin.execute("ALTER TABLE viewings RENAME TO viewings_away")
        try:
            done = run_flask("worker", "--once", env=watched.web.environment)
        finally:
            admin.execute("ALTER TABLE viewings_away RENAME TO viewings")

    assert done.returncode == 1, done.stderr
    tags = [event["tags"] for event in reported(receiver) if event["logger"] == "job_failed"]
    assert {"process": "worker", "job": "close viewings"} in tags


def test_nobody_is_told_of_anything_unasked(app: Flask) -> None:
    telemetry = wiring_of(app).telemetry

    assert (telemetry.traces, telemetry.errors) == (None, None)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SENTRY_DSN", "https://sentry.example/42", "SENTRY_DSN: must look like https://key@host/project"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT: must be a full http:// or https:// address"),
        ("TRACES_PERCENT", "101", "TRACES_PERCENT"),
        ("SENTRY_DNS", "x", "SENTRY_DNS is not a setting; did you mean SENTRY_DSN?"),
    ],
)
def test_what_cannot_be_meant_stops_the_start(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings({"RESELLER_ENV": "testing", "SECRET_KEY": "s" * 40, name: value})

    assert said in str(refused.value)


def test_other_variables_of_opentelemetry_are_nobodys_mistake() -> None:
    """Platforms set them for every program."""
    others = {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "x"}

    settings = read_settings({"RESELLER_ENV": "testing", "SECRET_KEY": "s" * 40, **others})

    assert settings.traces_percent == Decimal(100)
