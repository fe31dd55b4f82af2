"""The table of outcomes and charges (R9), row by row: what the customer is told and what it costs them."""

from typing import Any

import pytest

from tests.servers import WorkerProcess
from tests.shop import Customer, Shop, charge_for
from tests.waiting import wait_until

STARTED_WITH = 10 * 10**9
NO_ANSWER = {
    "status-400": (400, "invalid_request"),
    "status-401": (503, "upstream_unavailable"),
    "status-402": (503, "upstream_unavailable"),
    "status-403": (503, "upstream_unavailable"),
    "status-404": (404, "model_not_found"),
    "status-408": (504, "upstream_timeout"),
    "status-413": (413, "payload_too_large"),
    "status-422": (422, "unprocessable"),
    "status-429": (503, "upstream_busy"),
    "status-500": (502, "upstream_unavailable"),
    "status-502": (502, "upstream_unavailable"),
    "status-503": (503, "upstream_busy"),
    "status-524": (504, "upstream_timeout"),
    "status-529": (503, "upstream_busy"),
    "html-404": (502, "upstream_unavailable"),
    "html-502": (502, "upstream_unavailable"),
    "redirect": (502, "upstream_unavailable"),
    "reset": (502, "upstream_unavailable"),
    "close": (502, "upstream_unavailable"),
    "garbage": (502, "upstream_unavailable"),
    "large-head": (502, "upstream_unavailable"),
    "hang": (504, "upstream_timeout"),
    "half-head": (504, "upstream_timeout"),
    "invalid-json": (502, "upstream_unavailable"),
    "error-in-200": (502, "upstream_unavailable"),
    "text-error-in-200": (502, "upstream_unavailable"),
    "choices-null": (502, "upstream_unavailable"),
    "gzip": (502, "upstream_unavailable"),
}
"""Scenario of the upstream → our status and code. None of them costs anything, whatever the upstream bills."""

pytestmark = pytest.mark.usefixtures("calm")


def ended(customer: Customer, seconds: float = 15) -> dict[str, Any]:
    """The row of the customer's only call once it has ended; no hold is left and the books say what the row says."""
    wait_until(lambda: customer.rows and not customer.holds, seconds)
    row = customer.row
    books = customer.books
    assert (books.held_nano, books.open_calls) == (0, 0)
    assert books.settled_nano == STARTED_WITH - row["charge_nano"]
    return row


def was_asked_about(customer: Customer) -> bool:
    """Whether the clock has asked the upstream for the record of the customer's only call, which is still open."""
    holds = customer.holds
    assert holds, customer.rows
    return bool(holds[0]["chase_attempts"])


def stream(customer: Customer, scenario: str, **more: Any) -> list[Any]:
    """The frames of a streamed call."""
    answer = customer.chat(f"fake/{scenario}", stream=True, **more)
    assert answer.status == 200, answer.body
    return answer.frames


@pytest.mark.parametrize(
    ("scenario", "is_stream"),
    [(scenario, is_stream) for scenario in NO_ANSWER for is_stream in (False, True) if (scenario, is_stream) != ("gzip", True)],
)  # the fake encodes whole answers only
def test_no_answer_costs_nothing(customer: Customer, scenario: str, is_stream: bool) -> None:
    """R9: non-2xx, reset, time-out, no valid JSON, an error inside a 200."""
    answer = customer.chat(f"fake/{scenario}", stream=is_stream)

    row = ended(customer)
    assert (answer.status, answer.error["code"]) == NO_ANSWER[scenario]
    assert (row["status"], row["error_code"], row["charge_nano"]) == ("failed", answer.error["code"], 0)
    assert row["hold_nano"] > 0


@pytest.mark.parametrize("status", [429, 503])
def test_the_upstreams_wait_is_passed_on(customer: Customer, status: int) -> None:
    answer = customer.chat(f"fake/status-{status}")

    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(("status", "alarm"), [(401, "upstream_key_refused"), (402, "upstream_out_of_credit"), (403, "upstream_forbade")])
def test_trouble_between_us_and_the_upstream_alarms_staff(customer: Customer, status: int, alarm: str) -> None:
    """R28."""
    customer.chat(f"fake/status-{status}")

    assert f'"alarm":"{alarm}"' in customer.shop.web.log


def test_content_that_the_upstream_refuses_is_403_and_costs_nothing(customer: Customer) -> None:
    reasons = {"reasons": ["violence"], "flagged_input": "x", "provider_name": "FakeInfra"}
    customer.shop.fake.script("/chat/completions", {"status": 403, "error": {"code": 403, "message": "flagged", "metadata": reasons}})

    answer = customer.chat()

    assert (answer.status, answer.error["code"], ended(customer)["charge_nano"]) == (403, "content_policy", 0)
    assert "violence" in answer.error["message"]


@pytest.mark.parametrize(
    "scenario",
    [
        "default",
        "slow-bytes",
        "crlf",
        "split-utf8",
        "comments",
        "no-done",
        "usage-twice",
        "usage-early",
        "burst",
        "until-close",
        "continue-first",
        "whole-anyway",
        "slow-start",
    ],
)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_complete_answer_costs_its_usage_however_it_was_sent(customer: Customer, scenario: str, is_stream: bool) -> None:
    """R9: complete with usage → usage."""
    answer = customer.chat(f"fake/{scenario}", stream=is_stream)

    row = ended(customer)
    assert answer.status == 200
    assert (row["status"], row["cost_source"], row["flag"]) == ("completed", "inline", None)
    assert row["charge_nano"] == charge_for(customer.bill) > 0


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scenario", ["no-usage", "null-cost", "no-cost"])
def test_a_complete_answer_without_a_cost_is_charged_by_the_upstreams_record(
    customer: Customer, clock: WorkerProcess, scenario: str, is_stream: bool
) -> None:
    """R9: complete without usage → the record by generation id."""
    answer = customer.chat(f"fake/{scenario}", stream=is_stream)

    row = ended(customer)
    assert answer.status == 200
    assert (row["status"], row["cost_source"]) == ("completed", "generation")
    assert row["charge_nano"] == charge_for(customer.bill) > 0


@pytest.mark.parametrize("scenario", ["reset-mid-stream", "stop-mid-stream", "stall-mid-stream", "error-mid-stream"])
def test_an_answer_that_breaks_off_says_so_and_costs_what_the_record_says(customer: Customer, clock: WorkerProcess, scenario: str) -> None:
    """R9: error mid-stream → the record."""
    frames = stream(customer, scenario)

    row = ended(customer)
    assert frames[-1]["error"]["code"] in ("upstream_unavailable", "upstream_timeout")
    assert len([frame for frame in frames if "choices" in frame]) >= 2
    assert (row["status"], row["cost_source"]) == ("partial", "generation")
    assert row["charge_nano"] == charge_for(customer.bill)
    assert (row["charge_nano"] > 0) == (scenario != "error-mid-stream")


def test_an_error_after_the_usage_costs_the_usage(customer: Customer) -> None:
    """R9: error mid-stream → usage, where there is one."""
    customer.shop.fake.script("/chat/completions", {"usage_early": True, "cut_after": 6, "cut": "error"})

    frames = stream(customer, "default")

    row = ended(customer)
    told = customer.shop.query("SELECT cost_usd FROM usage_logs WHERE id = %s", row["id"])[0]["cost_usd"]
    assert "error" in frames[-1]
    assert (row["status"], row["cost_source"]) == ("partial", "inline")
    assert row["charge_nano"] == charge_for(told) > 0


def test_a_stream_that_fails_before_any_output_costs_nothing(customer: Customer) -> None:
    """R9: 200 with an error and no output → 0."""
    customer.shop.fake.script("/chat/completions", {"cut_after": 1, "cut": "error"})

    frames = stream(customer, "default")

    row = ended(customer)
    assert "error" in frames[-1]
    assert (row["status"], row["charge_nano"]) == ("failed", 0)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_without_any_record_the_estimate_is_charged_and_marked(customer: Customer, clock: WorkerProcess, is_stream: bool) -> None:
    """R9: else an estimate of prompt and delivered output, never more than the hold."""
    customer.shop.fake.script("/generation", *[{"status": 404}] * 20)
    answer = customer.chat("fake/no-usage", stream=is_stream)
    wait_until(lambda: was_asked_about(customer))
    customer.shop.query(
        "UPDATE holds SET chase_attempts = 9, chase_at = now() WHERE account_id = %s RETURNING id", customer.person.account_id
    )

    row = ended(customer)

    assert answer.status == 200
    assert (row["status"], row["cost_source"], row["flag"]) == ("completed", "estimate", "estimate")
    assert 0 < row["charge_nano"] <= row["hold_nano"]
    assert customer.call(f"/v1/generation?id=req_{row['id'].hex}").json["data"]["is_estimate"] is True


def test_what_was_refused_before_dispatch_costs_nothing_and_reaches_nobody(shop: Shop) -> None:
    """R5, R9."""
    customer = shop.customer(usd="0")
    before = len(shop.billed)

    answer = customer.chat()

    assert (answer.status, answer.error["code"]) == (402, "insufficient_credits")
    assert (customer.row["status"], customer.row["charge_nano"], customer.row["hold_nano"]) == ("refused", 0, 0)
    assert len(shop.billed) == before
