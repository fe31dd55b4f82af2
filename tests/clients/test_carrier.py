"""Telemetry leaves without anybody waiting for it, and what is not taken is lost and counted."""

import pytest
import requests
from structlog.testing import capture_logs

from reseller import metrics
from reseller.clients import carrier as module
from reseller.clients.carrier import Address, Carrier, NotTaken, _pause_of
from reseller.clock import monotonic
from tests.fakes.receiver import Receiver


def lost(kind: str) -> float:
    metrics.flush()
    return float(metrics.TELEMETRY_LOST.labels(kind)._value.get())


def test_what_waits_leaves_some_at_a_time_and_in_order() -> None:
    sent: list[list[int]] = []
    carrier: Carrier[int] = Carrier("of_order", sent.append, at_a_time=2, most=10)

    for number in range(5):
        carrier.put(number)
    carrier.start()
    carrier.stop(5)

    assert sent == [[0, 1], [2, 3], [4]]


def test_more_than_may_wait_is_lost_and_counted() -> None:
    sent: list[list[int]] = []
    carrier: Carrier[int] = Carrier("of_many", sent.append, at_a_time=10, most=3)

    for number in range(5):
        carrier.put(number)
    carrier.start()
    carrier.stop(5)

    assert sent == [[0, 1, 2]]
    assert lost("of_many") == 2


def test_what_is_refused_is_lost_and_the_next_is_tried() -> None:
    sent: list[list[int]] = []

    def refuse_the_first(some: list[int]) -> None:
        if some == [0]:
            raise NotTaken("it answers 500")
        sent.append(some)

    carrier: Carrier[int] = Carrier("of_refusals", refuse_the_first, at_a_time=1, most=10)
    for number in range(3):
        carrier.put(number)
    carrier.start()
    carrier.stop(5)

    assert sent == [[1], [2]]
    assert lost("of_refusals") == 1


def test_whatever_goes_wrong_with_some_the_next_are_sent() -> None:
    """A greenlet that died of it would tell nothing for the life of the process. The words of a surprise may quote a header."""
    sent: list[list[int]] = []

    def be_surprised(some: list[int]) -> None:
        if some == [0]:
            raise ValueError("Authorization: Bearer hunter2")
        sent.append(some)

    carrier: Carrier[int] = Carrier("of_surprises", be_surprised, at_a_time=1, most=10)
    for number in range(3):
        carrier.put(number)
    with capture_logs() as logs:
        carrier.start()
        carrier.stop(5)

    assert sent == [[1], [2]]
    assert lost("of_surprises") == 1
    assert [(line["event"], line["error"]) for line in logs] == [("telemetry_not_taken", "ValueError")]


def test_a_redirect_to_what_is_no_address_is_not_taken(receiver: Receiver) -> None:
    receiver.behave("/in", "odd_redirect")

    with pytest.raises(NotTaken, match="it answers 302"):
        Address(receiver.url("/in"), {}).post(b"{}")


def test_a_receiver_that_asks_for_quiet_is_left_alone() -> None:
    asked: list[list[int]] = []

    def full(some: list[int]) -> None:
        asked.append(some)
        raise NotTaken("it answers 429", pause_seconds=60)

    carrier: Carrier[int] = Carrier("of_quiet", full, at_a_time=1, most=10)
    for number in range(3):
        carrier.put(number)
    carrier.start()
    carrier.stop(5)

    assert asked == [[0]]
    assert lost("of_quiet") == 3


@pytest.mark.parametrize(
    ("status", "said", "pause"),
    [
        (429, "7", 7.0),
        (503, "100000", 600.0),
        (500, "7", 0.0),
        (429, "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        (429, "", 0.0),
        (429, "٣", 0.0),
    ],
)
def test_the_asked_for_quiet_is_a_bounded_number_of_seconds(status: int, said: str, pause: float) -> None:
    answer = requests.Response()
    answer.status_code = status
    answer.headers["Retry-After"] = said

    assert _pause_of(answer) == pause


@pytest.mark.parametrize("how", ["redirect", "no_http", "break_off", 500])
def test_whatever_is_no_yes_is_not_taken(receiver: Receiver, how: object) -> None:
    receiver.behave("/in", how)

    with pytest.raises(NotTaken):
        Address(receiver.url("/in"), {}).post(b"{}")

    assert {message.path for message in receiver.messages} == {"/in"}, "a redirect must not be followed"


def test_a_kept_connection_that_the_other_side_closes_loses_nothing(receiver: Receiver) -> None:
    """The receiver closes after each answer without having said so."""
    address = Address(receiver.url("/in"), {})

    for number in range(50):
        address.post(str(number).encode())

    assert list(dict.fromkeys(message.body for message in receiver.messages)) == [str(number).encode() for number in range(50)]


def test_a_large_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.behave("/in", "huge_body")

    Address(receiver.url("/in"), {}).post(b"{}")

    assert receiver.sent_bytes < 10_000_000


def test_of_a_redirect_no_more_is_read_than_of_any_other_answer(receiver: Receiver) -> None:
    """requests would read all of it, to work out the request that it is told not to make."""
    receiver.behave("/in", "long_redirect")

    with pytest.raises(NotTaken, match="it answers 302"):
        Address(receiver.url("/in"), {}).post(b"{}")

    assert receiver.sent_bytes < 20_000_000
    assert [message.path for message in receiver.messages] == ["/in"]


def test_a_receiver_that_hangs_holds_up_no_end(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process sockets are not gevent's, so the wait of one request is the bound; servers are tested in tests/gateway."""
    monkeypatch.setattr(module, "READ_SECONDS", 0.3)
    receiver.behave("/in", "hang")
    address = Address(receiver.url("/in"), {})
    carrier: Carrier[int] = Carrier("of_hanging", lambda some: address.post(b"{}"), at_a_time=10, most=10)
    carrier.put(1)
    began_at = monotonic()

    carrier.start()
    carrier.stop(5)

    assert monotonic() - began_at < 3
    assert lost("of_hanging") == 1
