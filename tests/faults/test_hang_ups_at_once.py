"""Sixty clients hang up at once, at every stage of their calls: each call ends once, and its bill is its charge (R4, R9, R11)."""

from collections.abc import Callable

from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, rich_customer
from tests.gateway.raw import RawClient
from tests.shop import Customer, charge_for, in_threads
from tests.waiting import wait_until

EACH = 10
ARRIVAL_SECONDS = 40  # of all of them at the upstream, on a machine that has more to do
LATE_HEAD = {"delay_ms": 1500}
NO_HEAD_BEFORE_ALL_HUNG_UP = {"delay_ms": (ARRIVAL_SECONDS + 10) * 1000}
STEADY = {"tokens": 20, "pause_ms": 20}
NOT_OVER_BEFORE_THEY_HUNG_UP = {"tokens": 500, "pause_ms": 100}


def before_the_hold(client: RawClient, customer: Customer) -> None:
    """A part of the request, and no more."""
    client.send(client.head("/v1/chat/completions", "Content-Length: 5000") + b'{"model": "')


def as_soon_as_it_is_sent(client: RawClient, customer: Customer) -> None:
    """The hold is being placed, or is not."""
    client.ask("openai/gpt-4o-mini")


def before_the_head_streamed(client: RawClient, customer: Customer) -> None:
    """All of them have reached the upstream, which says nothing yet."""
    say(client, "late head, streamed", stream=True)
    wait_until(lambda: asked(customer, "late head, streamed") == EACH, ARRIVAL_SECONDS)


def before_the_head_whole(client: RawClient, customer: Customer) -> None:
    say(client, "late head, whole")
    wait_until(lambda: asked(customer, "late head, whole") == EACH, ARRIVAL_SECONDS)


def in_mid_stream(client: RawClient, customer: Customer) -> None:
    say(client, "long", stream=True)
    client.read_until(b"quick")


def at_the_last_frame(client: RawClient, customer: Customer) -> None:
    say(client, "steady", stream=True)
    client.read_until(b'"finish_reason":"stop"')


def after_the_end(client: RawClient, customer: Customer) -> None:
    say(client, "steady", stream=True)
    client.read_until(b"[DONE]")


STAGES: dict[Callable[[RawClient, Customer], None], set[str]] = {
    before_the_hold: {"refused"},
    as_soon_as_it_is_sent: {"completed"},
    before_the_head_streamed: {"abandoned"},
    before_the_head_whole: {"completed"},
    in_mid_stream: {"abandoned"},
    at_the_last_frame: {"abandoned", "completed"},
    after_the_end: {"completed"},
}
"""Stage → how its calls may end."""


def say(client: RawClient, words: str, **more: object) -> None:
    client.ask("openai/gpt-4o-mini", messages=[{"role": "user", "content": words}], **more)


def asked(customer: Customer, words: str) -> int:
    """How many calls that say these words the upstream has seen. Asked often by many: no look at those of earlier tests."""
    with customer.shop.fake.lock:
        bills = customer.shop.fake.billed[customer.shop.marked_bills :]
    return sum(bill["body"]["messages"][0]["content"] == words for bill in bills)


def test_hang_ups_at_every_stage_at_once_leave_every_call_ended_and_paid(storm: Storm) -> None:
    storm.fake.plans |= {"late head, streamed": NO_HEAD_BEFORE_ALL_HUNG_UP, "late head, whole": LATE_HEAD}
    storm.fake.plans |= {"steady": STEADY, "long": NOT_OVER_BEFORE_THEY_HUNG_UP}
    customers = {stage: rich_customer(storm) for stage in STAGES}
    jobs = [stage for stage in STAGES for _ in range(EACH)]

    def hang_up(index: int) -> None:
        stage = jobs[index]
        with RawClient(customers[stage]) as client:
            stage(client, customers[stage])

    in_threads(len(jobs), hang_up)
    must_end = [customer for stage, customer in customers.items() if stage not in (before_the_hold, as_soon_as_it_is_sent)]
    wait_until(lambda: all(len(customer.rows) == EACH for customer in must_end))

    found = assert_holds(storm, [])
    assert {stage.__name__: {row["status"] for row in customers[stage].rows} - may_end for stage, may_end in STAGES.items()} == {
        stage.__name__: set() for stage in STAGES
    }
    assert found.estimated == EACH  # those whose upstream had not begun to answer
    assert {row["cost_source"] for row in customers[before_the_head_streamed].rows} == {"estimate"}
    for stage in (before_the_head_whole, in_mid_stream, at_the_last_frame, after_the_end):
        assert sum(row["charge_nano"] for row in customers[stage].rows) == sum(charge_for(cost) for cost in costs(customers[stage])) > 0


def costs(customer: Customer) -> list[str]:
    """What the upstream billed for each call of the customer."""
    return [customer.shop.bill_of(row["generation_id"])["cost"] for row in customer.rows]
