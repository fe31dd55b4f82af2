"""The circuit breaker as customers meet it (R32): opens on evidence, answers at once, probes with one call, recovers by itself."""

import time
from collections.abc import Iterator

import pytest

from tests.deployment import Cluster
from tests.fakes.bytes_of_http import HELLO, chunk, sized, stream_head, whole_wire
from tests.shop import Answer, Customer, Shop, in_threads, open_shop
from tests.waiting import wait_until

FAILURES: dict[str, tuple[bytes | int | str, ...]] = {
    "reset": ("reset",),
    "closed": (b"HTTP/1.1 200 O", "close"),
    "server error": (sized(b"{}", 500),),
    "overloaded": (sized(b"{}", 529),),
    "silent": ("hang",),
    "broken off": (stream_head(), chunk(HELLO), "close"),
}
MODELS = ("openai/gpt-4o-mini", "openai/gpt-4o", "fake/default", "deepseek/deepseek-chat")


@pytest.fixture(scope="module")
def fragile(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of its own: nobody else's good calls keep its breaker closed. Dozens of calls at once share a processor with their fake."""
    with open_shop(cluster, tmp_path_factory.mktemp("fragile"), UPSTREAM_FIRST_BYTE_SECONDS="3") as opened:
        opened.fake.plans.update({name: {"wire": steps} for name, steps in FAILURES.items()})
        opened.fake.plans["slow"] = {"wire": (300, whole_wire())}
        yield opened


def say(customer: Customer, words: str, number: int = 0, *, is_stream: bool = False) -> Answer:
    return customer.chat(MODELS[number % len(MODELS)], messages=[{"role": "user", "content": words}], stream=is_stream)


def sent(shop: Shop) -> int:
    with shop.fake.lock:
        return sum(request["method"] == "POST" for request in shop.fake.requests)


def refused_at_once(customer: Customer) -> bool:
    """Whether a call is answered 503 without anything being sent."""
    before = sent(customer.shop)
    answer = say(customer, "hello")
    assert (answer.status, sent(customer.shop) - before) in ((200, 1), (503, 0))
    return answer.status == 503


def break_it(customer: Customer, words: tuple[str, ...] = ("reset",), times: int = 20) -> None:
    """So many calls have failed in these ways, over all models."""
    in_threads(
        times, lambda number: say(customer, words[number % len(words)], number, is_stream=words[number % len(words)] == "broken off")
    )


def test_refusals_never_open_it_and_a_minority_of_failures_does_not(fragile: Shop) -> None:
    """R32: 4xx alarm, but an answer is an answer; below half of all calls it stays closed. First in this shop: its window is empty."""
    customer = fragile.customer(limits=False)
    statuses = (401, 402, 403, 429, 400, 404, 408)
    fragile.fake.plans.update({f"status {status}": {"wire": (sized(b"{}", status),)} for status in statuses})

    before = sent(fragile)
    answers = in_threads(28, lambda number: say(customer, f"status {statuses[number % 7]}", number))
    was_open_after_refusals = refused_at_once(customer)
    break_it(customer, ("reset", "server error"), 24)

    assert {answer.status for answer in answers} <= {400, 502, 503, 504}
    assert not was_open_after_refusals
    assert not refused_at_once(customer)
    assert sent(fragile) - before == 28 + 1 + 24 + 1  # each was sent once


def test_it_opens_answers_at_once_probes_with_one_call_and_recovers(fragile: Shop) -> None:
    """R32, from the first failure to the recovery; R9: what it refuses costs nothing and holds nothing."""
    customer, ways = fragile.customer(limits=False), tuple(FAILURES)
    wait_until(lambda: _opens(customer, ways))

    opened_at, before = 0.0, 0
    durations: list[float] = []
    while len(durations) < 130:  # more than one customer's own mistakes are answered at once (R31): these are not theirs
        if time.monotonic() - opened_at > 3:
            opened_at = _opens_anew(customer)
            before = sent(fragile)
        started = time.monotonic()
        answer = say(customer, "hello", len(durations), is_stream=len(durations) % 2 == 1)
        durations.append(time.monotonic() - started)
        assert (answer.status, answer.error["code"]) == (503, "upstream_busy")
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert sent(fragile) == before
    assert sorted(durations[-20:])[10] < 0.05  # the median of the last: one of them may meet a busy machine
    last = customer.rows[-1]
    assert (last["status"], last["error_code"], last["charge_nano"], last["hold_nano"]) == ("refused", "upstream_busy", 0, 0)

    wait_until(lambda: time.monotonic() - opened_at > 5.1)
    answers = in_threads(8, lambda number: say(customer, "slow", number))
    assert sorted(answer.status for answer in answers) == [200] + [503] * 7
    assert [refused_at_once(customer) for _ in range(10)] == [False] * 10
    assert all(hold["draft"] for hold in customer.holds)  # of those that broke off: the clock would ask for their records


def test_nobody_listening_is_told_and_opens_it(fragile: Shop) -> None:
    """R9, R32: a connect error is no answer. Last in this shop: its upstream is gone for good."""
    customer = fragile.customer(limits=False)
    fragile.fake.plans["hello"] = {"wire": ("close",)}  # on connections that were kept; new ones are refused
    fragile.fake.stop()

    answers = in_threads(30, lambda number: say(customer, "hello", number, is_stream=number % 2 == 1))
    after = say(customer, "hello")

    assert {(answer.status, answer.error["code"]) for answer in answers} <= {(502, "upstream_unavailable"), (503, "upstream_busy")}
    assert (after.status, after.error["code"]) == (503, "upstream_busy")
    assert {row["charge_nano"] for row in customer.rows} == {0}
    assert (customer.books.settled_nano, customer.books.open_calls) == (10 * 10**9, 0)


def _opens(customer: Customer, ways: tuple[str, ...]) -> bool:
    """Whether it is open after one more round of failures: earlier good calls of this shop count for ten seconds."""
    break_it(customer, ways, 24)
    return refused_at_once(customer)


def _opens_anew(customer: Customer) -> float:
    """When its probe had failed: it stays open for five seconds from then on."""
    wait_until(lambda: say(customer, "reset").status == 502)
    return time.monotonic()
