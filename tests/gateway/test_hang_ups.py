"""The client goes away: the upstream is closed at once, the hold goes, and what the record says is charged (R9)."""

import time
from typing import Any

import pytest

from tests.gateway.raw import RawClient
from tests.servers import WorkerProcess
from tests.shop import Customer, charge_for
from tests.waiting import wait_until

PROMPTLY = 2.0  # seconds; nothing else would close it within ten


def cancelled_bill(customer: Customer) -> dict[str, Any]:
    """The fake's record of the customer's call, once it has seen the connection end."""
    model = "fake/default"

    def found() -> dict[str, Any] | None:
        return next((bill for bill in customer.shop.billed if bill["model"] == model and bill["cancelled_at"]), None)

    return wait_until(found)


@pytest.fixture(autouse=True)
def fresh(customer: Customer) -> None:
    """No earlier call of this model is in the fake's memory."""
    with customer.shop.fake.lock:
        customer.shop.fake.billed.clear()


def ended(customer: Customer) -> dict[str, Any]:
    wait_until(lambda: customer.rows and not customer.holds)
    assert (customer.books.held_nano, customer.books.open_calls) == (0, 0)
    return customer.row


def test_a_hang_up_in_mid_stream_closes_the_upstream_and_is_charged_by_the_record(customer: Customer, clock: WorkerProcess) -> None:
    customer.shop.fake.script("/chat/completions", {"pause_ms": 50, "tokens": 200})
    client = RawClient(customer)
    client.ask("fake/default", stream=True)
    client.read_until(b"quick")

    client.close()
    hung_up_at = time.monotonic()
    bill = cancelled_bill(customer)

    row = ended(customer)
    assert bill["cancelled_at"] - hung_up_at < PROMPTLY
    assert (row["status"], row["error_code"], row["cost_source"]) == ("abandoned", "client_disconnected", "generation")
    assert row["charge_nano"] == charge_for(customer.bill) > 0
    assert row["completion_tokens"] < 100


def test_a_hang_up_while_the_upstream_is_silent_closes_it_without_waiting_for_its_next_word(
    customer: Customer, clock: WorkerProcess
) -> None:
    customer.shop.fake.script("/chat/completions", {"cut_after": 3, "cut": "stall"})
    client = RawClient(customer)
    client.ask("fake/default", stream=True)
    client.read_until(b"quick")

    client.close()
    hung_up_at = time.monotonic()
    bill = cancelled_bill(customer)

    assert bill["cancelled_at"] - hung_up_at < PROMPTLY
    assert (ended(customer)["status"], customer.row["charge_nano"]) == ("abandoned", charge_for(customer.bill))


def test_a_hang_up_between_head_and_first_token_closes_the_upstream(customer: Customer, clock: WorkerProcess) -> None:
    customer.shop.fake.script("/chat/completions", {"comments": 1000, "comment_every_ms": 20})
    client = RawClient(customer)
    client.ask("fake/default", stream=True)
    client.read_until(b": keep-alive")

    client.close()
    hung_up_at = time.monotonic()
    bill = cancelled_bill(customer)

    row = ended(customer)
    assert bill["cancelled_at"] - hung_up_at < PROMPTLY
    assert (row["status"], row["charge_nano"]) == ("abandoned", charge_for(customer.bill))


def test_a_hang_up_before_the_upstreams_head_closes_it(customer: Customer, clock: WorkerProcess) -> None:
    customer.shop.fake.script("/chat/completions", {"delay_ms": 900, "tokens": 200, "pause_ms": 50})
    client = RawClient(customer)
    client.ask("fake/default", stream=True)
    wait_until(lambda: customer.holds and customer.shop.billed)

    client.close()
    hung_up_at = time.monotonic()
    bill = cancelled_bill(customer)

    row = ended(customer)
    assert bill["cancelled_at"] - hung_up_at < PROMPTLY
    assert row["status"] == "abandoned"
    assert row["charge_nano"] <= row["hold_nano"]


def test_a_whole_answer_that_nobody_waits_for_is_charged_since_the_model_finishes_it(customer: Customer, clock: WorkerProcess) -> None:
    customer.shop.fake.script("/chat/completions", {"delay_ms": 300})
    client = RawClient(customer)
    client.ask("fake/default")
    wait_until(lambda: customer.holds)

    client.close()

    row = ended(customer)
    assert row["charge_nano"] == charge_for(customer.bill) > 0


def test_a_client_that_reads_nothing_holds_back_its_own_stream_only(customer: Customer, clock: WorkerProcess) -> None:
    """R29: bounded buffers; a neighbour is answered meanwhile."""
    customer.shop.fake.script("/chat/completions", {"tokens": 100_000, "is_burst": True})
    client = RawClient(customer)
    client.ask("fake/default", stream=True, max_tokens=100_000)
    wait_until(lambda: customer.holds)

    neighbour = customer.shop.customer().chat()
    client.close()

    row = ended(customer)
    assert neighbour.status == 200
    assert row["charge_nano"] == charge_for(customer.bill) > 0


def test_many_hang_ups_leave_no_hold(customer: Customer, clock: WorkerProcess) -> None:
    for stage in (b"HTTP/1.1 200", b"The ", b"quick", b"brown", b"jumps") * 4:
        client = RawClient(customer)
        client.ask("fake/slow", stream=True)
        client.read_until(stage)
        client.close()

    wait_until(lambda: not customer.holds and len(customer.rows) == 20)

    assert {row["status"] for row in customer.rows} == {"abandoned"}
    assert customer.books.settled_nano == 10 * 10**9 - sum(charge_for(row["cost_usd"]) for row in customer.rows)
    assert customer.bill == sum(row["cost_usd"] for row in customer.rows)
