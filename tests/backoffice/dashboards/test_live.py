"""The live tile: one look for all viewers of a process, ended by sign-out and by a drain."""

import time
from http.client import HTTPConnection
from uuid import UUID

import orjson
import pytest
from flask import Flask

from reseller.backoffice.dashboards import live
from reseller.domain.accounts import Role
from reseller.web import streams
from reseller.wiring import wiring_of
from tests import factories, staff
from tests.domain import scenes
from tests.servers import WebServer, environment
from tests.waiting import wait_until


def events(answer: object, count: int) -> list[bytes]:
    stream = iter(answer.response)  # type: ignore[attr-defined]
    return [next(stream) for _ in range(count)]


def test_it_tells_calls_in_flight_and_what_the_last_minute_brought(app: Flask) -> None:
    till, who = wiring_of(app).till, scenes.customer(nano=10**9)
    for charge in (2_000, 3_000):
        op = scenes.admission(who)
        till.admit(op)
        till.settle(scenes.settlement(op, charge=charge))
    failed = scenes.admission(who)
    till.admit(failed)
    till.settle(scenes.failure(failed))
    till.admit(scenes.admission(who))

    answer = staff.client_of(app).get("/admin/live/", buffered=False)
    told = events(answer, 2)
    answer.close()

    assert answer.mimetype == "text/event-stream"
    assert orjson.loads(told[1].split(b"data: ")[1]) == {"in_flight": "1", "calls": "3", "errors": "1", "spend": "$0.000005"}


def test_viewers_share_one_look(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    real = live.pulse
    monkeypatch.setattr(live, "pulse", lambda: looks.append(1) or real())
    answers = [staff.client_of(app).get("/admin/live/", buffered=False) for _ in range(6)]

    told = [events(answer, 2)[1] for answer in answers]
    for answer in answers:
        answer.close()

    assert len(set(told)) == 1
    assert len(looks) <= 2, "one that began when the first came, and one for those who came since"


def test_one_person_does_not_take_every_place(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """R31: two hundred streams of one person would leave none for anybody else."""
    greedy, other = staff.client_of(app), staff.client_of(app)
    monkeypatch.setattr(streams, "MAX_VIEWERS", streams.MAX_OF_ONE_PERSON + 1)
    held = [greedy.get("/admin/live/", buffered=False) for _ in range(2 * streams.MAX_OF_ONE_PERSON)]

    let_in, refused = other.get("/admin/live/", buffered=False), other.get("/admin/live/", buffered=False)
    again = greedy.get("/admin/live/", buffered=False)

    assert [answer.status_code for answer in (*held, let_in, refused, again)] == [200] * (len(held) + 1) + [503, 200]
    assert refused.headers["Retry-After"] == "30"
    for answer in (*held, let_in, again):
        answer.close()


def test_a_session_that_was_ended_elsewhere_ends_the_stream(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """R26."""
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.1)
    answer = staff.client_of(app).get("/admin/live/", buffered=False)
    stream = iter(answer.response)
    assert next(stream).startswith(b"retry")

    scenes.execute("DELETE FROM sessions")
    rest = list(stream)
    answer.close()

    assert rest[-1].startswith(b"event: over")


def test_a_stream_ends_by_itself_and_beats_while_there_is_no_news(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LASTS_SECONDS", 1.0)
    monkeypatch.setattr(streams, "BEAT_SECONDS", 0.2)
    answer = staff.client_of(app).get("/admin/live/", buffered=False)

    told = list(answer.response)
    answer.close()

    assert b": still here\n\n" in told


def test_an_open_tile_keeps_no_idle_session_alive(app: Flask) -> None:
    """R26: it comes back by itself for as long as the page is open, whether or not anybody sits there."""
    client = staff.client_of(app)
    scenes.execute("UPDATE sessions SET seen_at = seen_at - interval '1 hour'")
    before = scenes.rows("SELECT seen_at FROM sessions")

    client.get("/admin/live/", headers={"Accept": "text/event-stream"}, buffered=False).close()
    after_the_tile = scenes.rows("SELECT seen_at FROM sessions")
    client.get("/admin/jobs/")

    assert after_the_tile == before
    assert scenes.rows("SELECT seen_at FROM sessions") != before


@pytest.mark.parametrize("role", [Role.CUSTOMER])
def test_customers_see_nothing(app: Flask, role: Role) -> None:
    """R24."""
    assert staff.client_of(app, role).get("/admin/live/").status_code == 403


def test_a_server_with_an_open_tile_ends_promptly(app: Flask, database_url: str, tmp_path: object) -> None:
    """R34: SIGTERM does not wait for a page that somebody has left open."""
    person = factories.make_person(role=Role.ADMIN)
    app.config["SECRET_KEY"] = "s" * 40
    name, value = staff.cookie_of(app, UUID(str(person.user_id)))
    env = environment(database_url, tmp_path, SECRET_KEY="s" * 40, DRAIN_SECONDS="20")  # type: ignore[arg-type]
    with WebServer(env=env, log=tmp_path / "web.log") as web:  # type: ignore[operator]
        connection = HTTPConnection("127.0.0.1", web.port, timeout=60)
        connection.request("GET", "/admin/live/", headers={"Cookie": f"{name}={value}"})
        answer = connection.getresponse()
        assert answer.status == 200
        wait_until(lambda: answer.readline().startswith(b"event: now"))

        began = time.monotonic()
        exit_code = web.stop()

    assert exit_code == 0
    assert time.monotonic() - began < 8
