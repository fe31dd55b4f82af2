"""One box after the other is restarted or reloaded while customers never stop: no call fails, each is charged once (R4, R34)."""

import signal
import threading
import time
from typing import Any
from uuid import UUID

from openai import OpenAI, OpenAIError

from tests.acceptance.clients import openai_client
from tests.deploy.boxes import Box, Fleet
from tests.faults.clients import Buyers, Received, asking, buy
from tests.faults.evidence import assert_holds, assert_proved_by_command
from tests.shop import SLUG, Customer
from tests.waiting import wait_until

BETWEEN_SECONDS = 3.0
"""From one restart to the next: longer than nginx leaves a box alone that has refused connections (`fail_timeout`)."""

IN_BETWEEN = 40
SLOW = "for two seconds"
_clients = threading.local()


def buy_with_openai(customer: Customer, model: str = SLUG, **more: Any) -> Received:
    """One chat with openai-python, which keeps its connections and does not try again."""
    client: OpenAI = _clients.__dict__.setdefault(customer.key, openai_client(customer, timeout=60.0))
    began = time.monotonic()
    asked: Any = {"messages": [{"role": "user", "content": "hello"}], **more}
    try:
        raw = client.chat.completions.with_raw_response.create(model=model, **asked)
        is_whole = _is_whole(raw.parse(), is_stream=bool(more.get("stream")))
    except OpenAIError as error:
        return Received(getattr(error, "status_code", 0), False, None, time.monotonic() - began)
    call_id = UUID(hex=raw.headers["x-request-id"].removeprefix("req_"))
    return Received(raw.http_response.status_code, is_whole, call_id, time.monotonic() - began)


def _is_whole(answer: Any, *, is_stream: bool) -> bool:
    if not is_stream:
        return bool(answer.choices[0].message.content)
    return [chunk.choices[0].finish_reason for chunk in answer if chunk.choices][-1:] == ["stop"]


def short_and_slow(number: int) -> tuple[str, dict[str, Any]]:
    """Whole and streamed by turns; one in ten takes two seconds."""
    return SLUG, {"stream": number % 2 == 0, **(asking(SLOW) if number % 10 == 0 else {})}


def restart(box: Box) -> int:
    """As a deploy does it: SIGTERM, wait for the end, start. The exit code."""
    box.web.signal(signal.SIGTERM)
    code = box.web.wait(60)
    box.start_web()
    return code


def reload(box: Box) -> None:
    """SIGHUP: new processes take over from the old ones, which are gone when this returns."""
    old = set(box.web.worker_pids)
    box.web.signal(signal.SIGHUP)
    wait_until(lambda: len(new := set(box.web.worker_pids)) == box.processes and not new & old)


def test_boxes_are_restarted_one_after_the_other_and_no_call_fails(behind_nginx: Fleet) -> None:
    fleet = behind_nginx
    fleet.mark()
    fleet.fake.plans[SLOW] = {"tokens": 20, "pause_ms": 100}
    customers = [fleet.customer(usd="100", limits=False) for _ in range(2)]
    codes = []
    with (
        Buyers(customers, each=3, choose=short_and_slow, buy=buy_with_openai, pause=0.05) as kept,
        Buyers(customers, each=2, choose=short_and_slow, buy=buy, pause=0.05) as anew,
    ):
        for box in fleet.boxes:
            served(kept, anew)
            codes.append(restart(box))
            let_pass(BETWEEN_SECONDS)
        reload(fleet.boxes[0])
        served(kept, anew)

    failed = [result for result in (*kept.results, *anew.results) if not result.is_whole]
    assert failed == []
    assert codes == [0, 0]
    found = assert_holds(fleet, [*kept.results, *anew.results])
    assert found.calls == found.charged_calls == len(kept.results) + len(anew.results)
    assert_proved_by_command(fleet)


def served(*buyers: Buyers) -> None:
    """Calls of each kind go on."""
    before = [each.whole for each in buyers]
    wait_until(lambda: all(each.whole >= count + IN_BETWEEN for each, count in zip(buyers, before, strict=True)))


def let_pass(seconds: float) -> None:
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, seconds + 1)


def test_while_a_box_is_reloaded_it_says_that_it_is_ready(behind_nginx: Fleet) -> None:
    """Successors take over at once, so routers have nothing to notice."""
    [box, _] = behind_nginx.boxes
    said: set[int] = set()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            said.add(box.web.status_of("/readyz"))

    asking_all_the_time = threading.Thread(target=ask, daemon=True)
    asking_all_the_time.start()
    reload(box)
    stop.set()
    asking_all_the_time.join(10)

    assert said == {200}
