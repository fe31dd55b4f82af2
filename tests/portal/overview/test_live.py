"""/overview/live: the account's own figures, for as long as the session lasts, for few streams of one person."""

from decimal import Decimal
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain.accounts import Person, Role
from reseller.domain.ledger import BalanceNow
from reseller.domain.standing.figures import Figures
from reseller.domain.usage.pace import Today
from reseller.portal.overview import live
from reseller.web import streams
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.staff import client_of


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.1)


def browser_of(app: Flask, person: Person) -> FlaskClient:
    return client_of(app, Role.CUSTOMER, person=person)


def watch(browser: FlaskClient) -> Any:
    return browser.get("/overview/live", buffered=False, headers={"Accept": "text/event-stream"})


def figures(stream: Any) -> dict[str, str]:
    """The next figures that are pushed."""
    for event in stream:
        if event.startswith(b"event: now"):
            found: dict[str, str] = orjson.loads(event.split(b"data: ")[1])
            return found
    raise AssertionError("the stream ended")


def test_a_call_changes_what_is_pushed(app: Flask) -> None:
    person, other = factories.make_person(usd="5"), factories.make_person(usd="77")
    answer, others = watch(browser_of(app, person)), watch(browser_of(app, other))
    stream = iter(answer.response)
    before = figures(stream)
    key = factories.mint_key(person)[1]
    op = scenes.admission(scenes.Customer(person.account_id, key.id))
    wiring_of(app).till.admit(op)
    wiring_of(app).till.settle(scenes.settlement(op, charge=2_000_000))

    after = figures(stream)
    while after["calls"] == "0":  # a look between admission and settlement
        after = figures(stream)
    theirs = figures(iter(others.response))
    answer.close()
    others.close()

    assert (before["available"], before["calls"], before["spend"]) == ("$5.00", "0", "$0.00")
    assert (after["available"], after["calls"], after["spend"], after["errors"]) == ("$4.998000", "1", "$0.002000", "0")
    assert theirs["available"] == "$77.00"
    assert (answer.mimetype, answer.headers["X-Accel-Buffering"]) == ("text/event-stream", "no")
    assert "no-transform" in answer.headers["Cache-Control"]


def test_two_hundred_streams_of_one_person_leave_room_for_others(app: Flask) -> None:
    """R31."""
    greedy, other = factories.make_person(), factories.make_person()
    browsers = [browser_of(app, greedy) for _ in range(4)]  # signed in here and there

    held = [watch(browsers[number % 4]) for number in range(200)]
    let_in = watch(browser_of(app, other))

    assert let_in.status_code == 200
    assert {b"".join(answer.response) for answer in held[: -streams.MAX_OF_ONE_PERSON]} == {b"retry: 2000\n\nretry: 30000\n\n"}
    for answer in (*held, let_in):
        answer.close()
    again = watch(browsers[0])
    assert again.status_code == 200
    again.close()


def test_a_page_that_is_opened_takes_the_place_of_their_oldest(app: Flask) -> None:
    """R31: pages that were closed keep their places until something is written to them, and must not keep their owner out."""
    browser = browser_of(app, factories.make_person())
    oldest, *others = (watch(browser) for _ in range(streams.MAX_OF_ONE_PERSON))

    newest = watch(browser)

    assert newest.status_code == 200
    assert list(oldest.response)[-1] == streams.RATHER_LATER
    assert figures(iter(newest.response))
    assert figures(iter(others[0].response)), "the second oldest goes on"
    for answer in (oldest, *others, newest):
        answer.close()


def test_signing_out_ends_the_stream(app: Flask) -> None:
    """R26."""
    browser = browser_of(app, factories.make_person())
    answer = watch(browser)
    stream = iter(answer.response)
    figures(stream)

    scenes.execute("DELETE FROM sessions")
    rest = list(stream)
    answer.close()

    assert rest[-1].startswith(b"event: over")


def test_a_database_that_fails_ends_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream goes on with the next look."""
    answer = watch(browser_of(app, factories.make_person(usd="5")))
    stream = iter(answer.response)
    figures(stream)
    scenes.execute("ALTER TABLE balances RENAME TO elsewhere")
    monkeypatch.setattr(streams, "BEAT_SECONDS", 0.3)
    assert next(stream) == b": still here\n\n"
    scenes.execute("ALTER TABLE elsewhere RENAME TO balances")
    scenes.execute("UPDATE balances SET settled_nano = settled_nano + 1000000000, entries_nano = entries_nano + 1000000000")

    after = figures(stream)
    answer.close()

    assert after["available"] == "$6.00"


def test_between_looks_no_connection_is_held(app: Flask) -> None:
    """Law 5: none while a socket is waiting."""
    answer = watch(browser_of(app, factories.make_person()))
    stream = iter(answer.response)
    figures(stream)

    [row] = scenes.rows(
        """SELECT count(*) AS busy FROM pg_stat_activity
            WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"""
    )
    answer.close()

    assert row["busy"] == 0


def test_strangers_watch_nothing(app: Flask) -> None:
    assert app.test_client().get("/overview/live").status_code == 302


def test_whoever_comes_back_is_shown_nothing_of_their_last_visit(app: Flask) -> None:
    """Neither while the feed still looks for nobody, nor when the first look after a rest fails."""
    person = factories.make_person(usd="5")
    browser = browser_of(app, person)
    with watch(browser) as first:
        figures(iter(first.response))
    factories.grant(person, usd="1")

    with watch(browser) as again:
        seen = figures(iter(again.response))

    assert seen["available"] == "$6.00"


def test_a_failing_look_tells_a_newcomer_nothing_old(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = browser_of(app, factories.make_person(usd="5"))
    monkeypatch.setattr(streams, "BEAT_SECONDS", 0.3)
    with watch(browser) as first:
        figures(iter(first.response))
        scenes.execute("ALTER TABLE balances RENAME TO elsewhere")

        with watch(browser) as again:
            events = iter(again.response)
            said = [next(events), next(events)]
    scenes.execute("ALTER TABLE elsewhere RENAME TO balances")

    assert said == [b"retry: 2000\n\n", b": still here\n\n"]


def test_one_call_is_not_pushed_as_calls() -> None:
    pushed = live.words(Figures(BalanceNow(0, 0, 0), Today(calls=1, errors=1, refused=0, charge_usd=Decimal(0))))

    assert (pushed["calls_told"], pushed["errors_told"]) == ("1 call", "1 error")
