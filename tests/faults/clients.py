"""Customers' programs: calls of every kind, and exactly what came back of each."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Self
from uuid import UUID

from tests.shop import SLUG, Answer, Customer, chat_body, exchange

PATIENCE_SECONDS = 60.0
NO_ANSWER_PAUSE = 0.05

Choose = Callable[[int], tuple[str, dict[str, Any]]]
"""The number of a call → its model, and what else its body says."""


@dataclass(frozen=True, slots=True)
class Received:
    """What one call brought its customer. `status` 0: no answer, or one that broke off."""

    status: int
    is_whole: bool  # the complete answer, to its last byte
    call_id: UUID | None
    seconds: float
    has_cost: bool = True  # it says what it was charged: that was durable before the answer left
    error_code: str | None = None


def buy(customer: Customer, model: str = SLUG, **more: Any) -> Received:
    """One chat, over a connection of its own."""
    began = time.monotonic()
    connection = HTTPConnection("127.0.0.1", customer.shop.web.port, timeout=PATIENCE_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {customer.key}"}
        answer = exchange(connection, "/v1/chat/completions", chat_body(model, **more), headers=headers)
    except (OSError, HTTPException):
        return Received(0, False, None, time.monotonic() - began)
    finally:
        connection.close()
    shown = answer.headers.get("x-request-id", "").removeprefix("req_")
    is_whole = answer.status == 200 and (not more.get("stream") or answer.frames[-1:] == ["[DONE]"])
    call_id = UUID(hex=shown) if shown else None
    seconds, has_cost = time.monotonic() - began, is_whole and _tells_cost(answer)
    return Received(answer.status, is_whole, call_id, seconds, has_cost=has_cost, error_code=_error_code(answer))


def _error_code(answer: Answer) -> str | None:
    """Why it was refused; None of an answer that began well, or lost its body with its server."""
    if answer.status == 200:
        return None
    try:
        return str(answer.json["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return None


def _tells_cost(answer: Answer) -> bool:
    """A stream says so in its usage, for those who asked for it."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return any(isinstance(frame, dict) and "cost" in (frame.get("usage") or {}) for frame in answer.frames)
    return "x-request-cost" in answer.headers


class Buyers:
    """Programs that call without a pause, each by turns whole and streamed, until they are told to stop."""

    def __init__(
        self, customers: Sequence[Customer], *, each: int = 4, choose: Choose, pause: float = 0.0, buy: Callable[..., Received] = buy
    ) -> None:
        self.results: list[Received] = []
        self.errors: list[BaseException] = []
        self._choose = choose
        self._buy = buy
        self._pause = pause
        self._stop = threading.Event()
        jobs = [customer for customer in customers for _ in range(each)]
        self._threads = [threading.Thread(target=self._run, args=(job, n), daemon=True) for n, job in enumerate(jobs)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        if kind is None:
            self.stop()
        else:
            self._stop.set()  # something else went wrong, and is told

    def stop(self) -> None:
        """Every call has come back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS + 5)
        assert not any(thread.is_alive() for thread in self._threads), "a call never came back"
        if self.errors:
            raise self.errors[0]

    @property
    def whole(self) -> int:
        """How many whole answers there are by now."""
        return sum(result.is_whole for result in list(self.results))

    def _run(self, customer: Customer, number: int) -> None:
        while not self._stop.is_set():
            model, more = self._choose(number)
            number += 1
            try:
                result = self._buy(customer, model, **more)
            except Exception as error:  # noqa: BLE001 - raised again by stop(), in the test's own thread
                self.errors.append(error)
                return
            self.results.append(result)
            self._stop.wait(self._pause if result.status == 200 else max(self._pause, NO_ANSWER_PAUSE))


def whole_and_streamed(number: int) -> tuple[str, dict[str, Any]]:
    """Short answers, by turns whole and streamed."""
    return SLUG, {"stream": number % 2 == 0}


class OpenCall:
    """A call that is under way in a thread of its own; `result` when it has come back."""

    def __init__(self, customer: Customer, model: str = SLUG, **more: Any) -> None:
        self.customer = customer
        self.result: Received | None = None
        self._thread = threading.Thread(target=self._run, args=(model, more), daemon=True)
        self._thread.start()

    def _run(self, model: str, more: dict[str, Any]) -> None:
        self.result = buy(self.customer, model, **more)

    def join(self, seconds: float = 30) -> Received:
        """What came back."""
        self._thread.join(seconds)
        assert self.result is not None, "the call never came back"
        return self.result


def asking(words: str) -> dict[str, Any]:
    """The part of a chat's body that says these words: `fake.plans[words]` is how the upstream answers them."""
    return {"messages": [{"role": "user", "content": words}]}
