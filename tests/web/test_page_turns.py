"""A crowd of pages stands in line, and nobody else does (R31)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError, Event

import pytest
from flask import Blueprint, Flask

from reseller import turns
from reseller.turns import AT_ONCE, QUEUES, Turns

HERE = "203.0.113.1"
THERE = next(network for number in range(256) if hash(network := f"198.51.100.{number}") % QUEUES != hash(HERE) % QUEUES)


@pytest.fixture
def door() -> Iterator[Event]:
    """Behind it every page of `slow` is made."""
    opened = Event()
    yield opened
    opened.set()


def test_as_many_pages_of_a_network_as_may_are_made_at_once() -> None:
    """Of eight, each of which waits for three others to be there, none ever is."""
    queue, together = Turns(), Barrier(AT_ONCE + 1)

    def page(_: int) -> bool:
        turn = queue.take(HERE, "pages")
        try:
            together.wait(timeout=0.2)
        except BrokenBarrierError:
            return False
        finally:
            turn.release()
        return True

    with ThreadPoolExecutor(8) as people:
        assert not any(people.map(page, range(8)))


def test_whoever_waits_too_long_is_told_and_others_are_not_kept(
    make_app: Callable[..., Flask], door: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST_SECONDS", 0.05)
    app = make_app()
    entered = Barrier(AT_ONCE + 1)
    slow = Blueprint("slow", __name__)

    @slow.get("/slow")
    def view() -> str:
        entered.wait(timeout=10)
        door.wait(timeout=10)
        return "made"

    app.register_blueprint(slow)

    def get(path: str, address: str = HERE) -> tuple[int, str | None]:
        answer = app.test_client().get(path, environ_base={"REMOTE_ADDR": address})
        return answer.status_code, answer.headers.get("Retry-After")

    with ThreadPoolExecutor(AT_ONCE) as people:
        waiting = [people.submit(get, "/slow") for _ in range(AT_ONCE)]
        entered.wait(timeout=10)
        refused, elsewhere, program, probe = get("/sign-in"), get("/sign-in", THERE), get("/v1/models"), get("/healthz")
        door.set()
        made = [page.result()[0] for page in waiting]

    assert refused == (429, "5")
    assert (elsewhere[0], program[0], probe[0]) == (200, 401, 200)
    assert made == [200] * AT_ONCE
    assert get("/sign-in")[0] == 200


@pytest.mark.parametrize("path", ["/nowhere", "/broken", "/sign-in"])
def test_a_turn_ends_however_a_page_does(make_app: Callable[..., Flask], path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_SECONDS", 0.05)
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False
    broken = Blueprint("broken", __name__)

    @broken.get("/broken")
    def view() -> str:
        raise RuntimeError("a mistake of ours")

    app.register_blueprint(broken)
    statuses = {app.test_client().get(path).status_code for _ in range(AT_ONCE * 3)}

    assert statuses == {{"/nowhere": 404, "/broken": 500, "/sign-in": 200}[path]}
