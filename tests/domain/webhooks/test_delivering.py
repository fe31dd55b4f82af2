"""From event to delivered: once for each who listens, in order, again with growing gaps, and nobody waits for anybody else."""

import json
import threading
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask

from reseller.clock import now
from reseller.database import acting_as_operator, db, transaction
from reseller.domain import outbox, webhooks
from reseller.domain.identity.sealing import Seal
from reseller.domain.outbox import EVENTS, Audience, EventKind
from reseller.domain.webhooks import IN_ORDER, LASTS, LEASE, MAX_PER_ACCOUNT, OffBecause, claiming, repeating
from reseller.domain.webhooks.queue import MAX_GAP
from reseller.errors import Conflict, NotFound, TooManyRequests
from tests import factories
from tests.domain import scenes
from tests.domain.webhooks import hooking
from tests.waiting import wait_until


def states() -> list[str]:
    return [row["state"] for row in hooking.deliveries()]


def test_everybody_who_listens_is_told_once_and_nobody_else(app: Flask) -> None:
    person, other = factories.make_person(), factories.make_person()
    _, every = hooking.add(person)
    _, chosen = hooking.add(person, events=("key.revoked",))
    _, deaf = hooking.add(person, events=("key.created",))
    hooking.add(other)
    hooking.happen(person)

    handed_on = [webhooks.fan_out(), webhooks.fan_out()]

    assert handed_on == [1, 0]
    assert {row["endpoint_id"] for row in hooking.deliveries()} == {every.id, chosen.id}
    assert hooking.endpoint(deaf)["due_at"] is None


def test_handing_on_twice_makes_no_second_delivery(app: Flask) -> None:
    """Guard: UNIQUE (event_id, endpoint_id), for when what was handed on was not recorded as such."""
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    scenes.execute("UPDATE outbox SET dispatched_at = NULL")

    webhooks.fan_out()

    assert len(hooking.deliveries()) == 1


def test_what_happened_before_the_endpoint_was_there_is_not_told(app: Flask) -> None:
    person = factories.make_person()
    hooking.happen(person)
    hooking.add(person)

    webhooks.fan_out()

    assert hooking.deliveries() == []


@pytest.mark.parametrize("hours", [-1, 1])
def test_an_endpoint_of_a_box_whose_clock_is_off_hears_what_happens_from_then_on(app: Flask, hours: int) -> None:
    """R39: by that box's clock it would have been there before, or be there in an hour."""
    person = factories.make_person()
    hooking.happen(person, 1)
    with time_machine.travel(now() + timedelta(hours=hours), tick=True):
        hooking.add(person)
    hooking.happen(person, 2)
    last = hooking.happen(person, 3)

    webhooks.fan_out()

    assert len(hooking.deliveries()) == 2
    assert hooking.deliveries()[-1]["event_id"] == last


@pytest.mark.parametrize("hours", [-1, 1])
def test_what_happens_on_a_box_whose_clock_is_off_is_told_to_those_who_listen_by_then(app: Flask, hours: int) -> None:
    """R39."""
    person = factories.make_person()
    with time_machine.travel(now() + timedelta(hours=hours), tick=True):
        hooking.happen(person, 1)
    hooking.add(person)
    with time_machine.travel(now() + timedelta(hours=hours), tick=True):
        heard = hooking.happen(person, 2)

    webhooks.fan_out()

    assert [row["event_id"] for row in hooking.deliveries()] == [heard]


def test_what_concerns_everybody_is_told_to_every_account(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EVENTS, "for.all", EventKind("for a test", {}, {}, Audience.EVERY_ACCOUNT))
    customers = [hooking.add(factories.make_person())[1].id for _ in range(2)]
    outbox.announce("for.all", None)

    webhooks.fan_out()

    told = {(row["event_name"], row["endpoint_id"]) for row in hooking.deliveries()}
    assert told == {("for.all", customers[0]), ("for.all", customers[1])}


def test_a_message_says_what_happened_under_an_id_that_stays(app: Flask) -> None:
    person = factories.make_person()
    secret, _ = hooking.add(person)
    event_id = hooking.happen(person)
    webhooks.fan_out()

    [first] = hooking.claim()
    hooking.ended(first, 500)
    hooking.let_pass(timedelta(minutes=1))
    [second] = hooking.claim()

    assert first.message_id == second.message_id == f"evt_{event_id.hex}"
    assert first.body == second.body
    assert (first.number, second.number) == (1, 2)
    assert first.secret_texts == (secret,)
    message = json.loads(first.body)
    assert list(message) == ["id", "type", "timestamp", "account_id", "data"]
    assert (message["type"], message["account_id"]) == ("key.revoked", str(person.account_id))
    assert list(message["data"]) == list(EVENTS["key.revoked"].fields)


def test_deliveries_of_an_endpoint_go_one_after_another_in_their_order(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 3)
    told = []

    while claimed := hooking.claim():
        assert len(claimed) == 1
        assert hooking.claim() == []
        told.append(json.loads(claimed[0].body)["data"]["name"])
        hooking.ended(claimed[0])

    assert told == ["key 1", "key 2", "key 3"]
    assert states() == ["delivered"] * 3


def test_one_that_fails_keeps_its_place(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 2)
    [first] = hooking.claim()

    hooking.ended(first, 503)
    at_once = hooking.claim()
    hooking.let_pass(timedelta(seconds=6))
    [again] = hooking.claim()

    assert at_once == []
    assert again.delivery_id == first.delivery_id


def test_one_that_nobody_can_take_steps_aside_after_an_hour(app: Flask) -> None:
    """A receiver that fails for one event alone hears the others."""
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 2)
    [poison] = hooking.claim()
    hooking.ended(poison, 500)
    hooking.let_pass(IN_ORDER + timedelta(seconds=1))
    hooking.ended(hooking.claim()[0], 500)

    [other] = hooking.claim()
    hooking.ended(other, 200)

    assert other.delivery_id != poison.delivery_id
    assert states() == ["waiting", "delivered"]


def test_gaps_grow_to_a_bound_and_the_last_try_is_after_three_days(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    gaps = []

    while (claimed := hooking.claim()) and len(gaps) < 100:
        off = hooking.ended(claimed[0], None)
        [row] = hooking.deliveries()
        if row["state"] == "waiting":
            gaps.append(row["next_try_at"] - now())
            hooking.let_pass(gaps[-1] + timedelta(milliseconds=1))

    assert off is OffBecause.FAILING
    assert timedelta(seconds=4) < gaps[0] < timedelta(seconds=6)
    assert all(later > 1.5 * gap for gap, later in zip(gaps[1:10], gaps[2:10], strict=False))
    assert max(gaps) <= 1.1 * MAX_GAP
    assert LASTS - timedelta(minutes=1) < sum(gaps, timedelta()) < LASTS + timedelta(minutes=1)
    assert 15 < len(gaps) < 30
    assert states() == ["given_up"]


def test_gaps_are_not_the_same_for_all(app: Flask) -> None:
    for _ in range(5):
        person = factories.make_person()
        hooking.add(person)
        hooking.tell(person)
    for claimed in hooking.claim():
        hooking.ended(claimed, 500)

    assert len({round((row["next_try_at"] - row["created_at"]).total_seconds(), 1) for row in hooking.deliveries()}) > 1


def test_an_endpoint_where_nothing_got_through_for_three_days_is_switched_off(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person)
    hooking.ended(hooking.claim()[0], 500)
    hooking.let_pass(LASTS)
    [last] = hooking.claim()

    off = hooking.ended(last, 500)

    assert off is OffBecause.FAILING
    assert hooking.endpoint(row)["off_because"] == "failing"
    assert [letter["facts"]["said"] for letter in scenes.rows("SELECT facts FROM letters WHERE kind = 'webhook_off'")] == ["answered 500"]


def test_one_that_takes_others_stays_on_when_one_delivery_is_given_up(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person)
    hooking.ended(hooking.claim()[0], 500)
    hooking.let_pass(LASTS - timedelta(hours=2))
    hooking.ended(hooking.claim()[0], 500)
    hooking.tell(person)
    hooking.ended(hooking.claim()[0], 200)
    hooking.let_pass(timedelta(hours=3))
    [last] = hooking.claim()

    off = hooking.ended(last, 500)

    assert off is None
    assert hooking.endpoint(row)["off_at"] is None
    assert states() == ["given_up", "delivered"]


def test_after_a_long_failure_everything_that_waits_is_due_once_something_gets_through(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 2)
    hooking.ended(hooking.claim()[0], 500)
    hooking.let_pass(IN_ORDER * 2)
    for _ in range(2):
        hooking.ended(hooking.claim()[0], 500)
    hooking.tell(person)
    [newest] = hooking.claim()

    hooking.ended(newest, 200)

    [due] = hooking.claim()
    assert newest.delivery_id == hooking.deliveries()[2]["id"]
    assert due.delivery_id == hooking.deliveries()[0]["id"]


def test_one_endpoint_waits_for_no_other(app: Flask) -> None:
    slow, quick = factories.make_person(), factories.make_person()
    hooking.add(slow)
    hooking.add(quick)
    hooking.tell(slow, 3)
    hooking.tell(quick, 1)
    in_hand = hooking.claim()

    [theirs] = [claimed for claimed in in_hand if claimed.account_id == quick.account_id]
    hooking.ended(theirs)
    hooking.tell(quick, 1)

    assert [claimed.account_id for claimed in hooking.claim()] == [quick.account_id]


def test_an_account_has_a_few_in_hand_at_once(app: Flask) -> None:
    person = factories.make_person()
    for _ in range(MAX_PER_ACCOUNT + 2):
        hooking.add(person)
    hooking.tell(person)

    first = hooking.claim()
    meanwhile = hooking.claim()
    hooking.ended(first[0])
    after = hooking.claim()

    assert (len(first), len(meanwhile), len(after)) == (MAX_PER_ACCOUNT, 0, 1)


def test_whoever_has_their_share_in_hand_hides_nobody(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of accounts with much that is due, redelivered or not: only so many endpoints are looked at, and none of theirs among them."""
    monkeypatch.setattr(claiming, "LOOKED_AT", 4)
    greedy, other = factories.make_person(), factories.make_person()
    for _ in range(MAX_PER_ACCOUNT + 4):
        hooking.add(greedy)
    hooking.tell(greedy)
    assert len(hooking.claim()) == MAX_PER_ACCOUNT
    hooking.add(other)
    hooking.tell(other)

    assert [claimed.account_id for claimed in hooking.claim()] == [other.account_id]


def test_slow_ones_that_wait_hide_no_quick_one(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "LOOKED_AT", 4)
    for person in (people := [factories.make_person() for _ in range(6)]):
        hooking.add(person)
        hooking.tell(person)
    while claimed := hooking.claim(4):
        for delivery in claimed:
            hooking.ended(delivery, 200, took_ms=9_900)
    for person in people:
        hooking.tell(person)
    quick = factories.make_person()
    hooking.add(quick)
    hooking.tell(quick)

    told = {delivery.account_id for delivery in hooking.claim(2)}

    assert (len(told), quick.account_id in told) == (2, True)


def test_slow_ones_get_half_of_the_places(app: Flask) -> None:
    people = [factories.make_person() for _ in range(6)]
    for person in people:
        hooking.add(person)
        hooking.tell(person)
    for claimed in hooking.claim():
        hooking.ended(claimed, 200, took_ms=9_900)
    for person in people:
        hooking.tell(person)
    quick = factories.make_person()
    hooking.add(quick)
    hooking.tell(quick)

    claimed = hooking.claim(4)

    assert len(claimed) == 3
    assert quick.account_id in {delivery.account_id for delivery in claimed}


def test_a_lease_ends_and_whoever_comes_next_takes_over(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    [lost] = hooking.claim()
    early = hooking.claim()
    hooking.let_pass(LEASE + timedelta(seconds=1))

    [taken_over] = hooking.claim()

    assert early == []
    assert taken_over.message_id == lost.message_id
    assert taken_over.number == 2


def test_a_delivery_of_whose_tries_nothing_is_heard_is_tried_as_seldom_and_as_long_as_one_that_fails(app: Flask) -> None:
    """R33: a mistake of ours leaves no outcome. The endpoint is not to blame, and others do not wait for ever."""
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person, 2)
    [stuck, behind] = hooking.deliveries()
    passed, tries = [timedelta(0)], Counter[UUID]()

    while "waiting" in states() and len(passed) < 200:
        for claimed in hooking.claim():
            tries[claimed.delivery_id] += 1
            if claimed.delivery_id == behind["id"]:
                hooking.ended(claimed)
                reached_after = sum(passed, timedelta(0))
        due_at, leased_until = (hooking.endpoint(row)[name] for name in ("due_at", "leased_until"))
        passed.append(max(due_at or now(), leased_until or now()) - now() + timedelta(milliseconds=1))
        hooking.let_pass(passed[-1])

    assert states() == ["given_up", "delivered"]
    assert 10 < tries[stuck["id"]] < 30
    assert IN_ORDER < reached_after < 3 * IN_ORDER
    assert LASTS < sum(passed, timedelta(0)) < LASTS + timedelta(minutes=2)
    assert hooking.deliveries()[0]["last_error"] == claiming.LOST
    assert hooking.endpoint(row)["off_at"] is None


def test_one_that_waited_for_days_has_a_try_all_the_same(app: Flask) -> None:
    """No worker ran, or others were before it."""
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    hooking.let_pass(LASTS * 2)

    [late] = hooking.claim()
    hooking.ended(late)

    assert states() == ["delivered"]


def test_one_that_waited_for_days_behind_one_that_failed_has_a_try_all_the_same(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 2)
    hooking.ended(hooking.claim()[0], 500)
    hooking.let_pass(LASTS + IN_ORDER)
    hooking.ended(hooking.claim()[0], 200)

    hooking.ended(hooking.claim()[0], 200)

    assert states() == ["delivered", "delivered"]


def test_one_that_waited_long_is_taken_over_at_once_when_its_worker_dies(app: Flask) -> None:
    """Guard: it was hardly tried, and so its next try is soon."""
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 2)
    hooking.let_pass(IN_ORDER * 5)
    [lost] = hooking.claim()
    hooking.let_pass(LEASE + timedelta(seconds=1))

    [taken_over] = hooking.claim()

    assert taken_over.message_id == lost.message_id


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_worker_whose_clock_is_off_holds_what_it_has_as_long_as_any(app: Flask, hours: int) -> None:
    """R39: by its own clock its lease would be over before it began, or keep the endpoint for an hour after its death."""
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    with time_machine.travel(now() + timedelta(hours=hours), tick=True):
        [mine] = hooking.claim()
    meanwhile = hooking.claim()
    hooking.let_pass(LEASE + timedelta(seconds=1))

    [taken_over] = hooking.claim()

    assert (meanwhile, taken_over.message_id) == ([], mine.message_id)


def test_an_owner_sends_again_so_often_an_hour_and_staff_as_often_as_it_takes(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time has an answer that is kept for weeks, and may be one that somebody else has to stand."""
    monkeypatch.setattr(repeating, "MAX_AGAIN", 3)
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person)
    [sent] = hooking.claim()
    own: dict[str, Any] = {"account_id": person.account_id, "actor": f"user:{person.user_id}"}
    for _ in range(2):
        webhooks.redeliver(sent.delivery_id, **own)
    webhooks.redeliver_given_up(row.id, **own)

    with pytest.raises(TooManyRequests):
        webhooks.redeliver(sent.delivery_id, **own)
    with pytest.raises(TooManyRequests):
        webhooks.redeliver_given_up(row.id, **own)
    webhooks.redeliver(sent.delivery_id, account_id=None, actor=own["actor"], reason="they asked")


def test_an_owner_who_asks_twice_at_once_is_counted_twice(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: whoever counts waits for the one before. Also for two endpoints, of which neither waits for the other."""
    monkeypatch.setattr(repeating, "MAX_AGAIN", 1)
    person = factories.make_person()
    _, first = hooking.add(person)
    _, second = hooking.add(person)
    own: dict[str, Any] = {"account_id": person.account_id, "actor": f"user:{person.user_id}"}
    refused: list[TooManyRequests] = []

    def ask() -> None:
        with app.app_context(), acting_as_operator():
            try:
                webhooks.redeliver_given_up(second.id, **own)
            except TooManyRequests as refusal:
                refused.append(refusal)
            finally:
                db.session.remove()

    other = threading.Thread(target=ask)
    with transaction():
        webhooks.redeliver_given_up(first.id, **own)
        other.start()
        wait_until(lambda: not other.is_alive() or scenes.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
    other.join(20)

    assert len(refused) == 1
    assert len(scenes.rows("SELECT 1 FROM staff_actions WHERE action = 'webhook.redeliver_all'")) == 1


def test_one_who_comes_back_late_neither_undoes_nor_frees_what_another_has(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 2)
    [late] = hooking.claim()
    hooking.let_pass(LEASE + timedelta(seconds=1))
    [current] = hooking.claim()

    hooking.ended(late, 500)
    while_current_sends = hooking.claim()
    hooking.ended(current, 200)
    hooking.ended(late, 500)

    assert while_current_sends == []
    assert states() == ["delivered", "waiting"]


def test_two_workers_take_each_delivery_once(app: Flask) -> None:
    """Guard: SKIP LOCKED and the lease."""
    for _ in range(6):
        person = factories.make_person()
        hooking.add(person)
        hooking.tell(person)
    found: list[list[Any]] = []
    both = threading.Barrier(4)

    def take() -> None:
        with app.app_context(), acting_as_operator():
            both.wait()
            found.append(hooking.claim())
            db.session.remove()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    ids = [claimed.delivery_id for taken in found for claimed in taken]
    assert len(ids) == len(set(ids)) == 6


def test_an_event_that_comes_while_another_ends_is_not_slept_through(app: Flask) -> None:
    """Guard: the lock of the endpoint before it is scheduled. Both look, neither sees the other, and the endpoint sleeps."""
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person)
    [claimed] = hooking.claim()
    hooking.happen(person, 2)
    ended = threading.Event()

    def end() -> None:
        with app.app_context(), acting_as_operator():
            hooking.ended(claimed)
            db.session.remove()
        ended.set()

    with transaction():
        webhooks.fan_out()
        other = threading.Thread(target=end)
        other.start()
        was_early = ended.wait(0.3)
    other.join(10)

    assert not was_early
    assert hooking.endpoint(row)["due_at"] is not None
    assert len(hooking.claim()) == 1


def test_what_was_given_up_is_sent_again_on_demand(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person, 2)
    webhooks.switch_off(row.id, account_id=person.account_id, because=OffBecause.BY_OWNER, actor="test")
    first, second = hooking.deliveries()

    with pytest.raises(Conflict):
        webhooks.redeliver(first["id"], account_id=person.account_id, actor="test")
    webhooks.switch_on(row.id, account_id=person.account_id, actor="test")
    webhooks.redeliver(second["id"], account_id=person.account_id, actor="test", reason="they asked")
    [one] = hooking.claim()
    hooking.ended(one)
    count = webhooks.redeliver_given_up(row.id, account_id=person.account_id, actor="test")

    assert one.delivery_id == second["id"]
    assert count == 1
    assert hooking.claim()[0].delivery_id == first["id"]
    actions = scenes.rows("SELECT action, reason FROM staff_actions WHERE action LIKE 'webhook.redeliver%' ORDER BY id")
    assert [tuple(action.values()) for action in actions] == [("webhook.redeliver", "they asked"), ("webhook.redeliver_all", "")]


def test_what_was_delivered_can_be_sent_again_under_the_same_id(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    [first] = hooking.claim()
    hooking.ended(first)

    webhooks.redeliver(first.delivery_id, account_id=person.account_id, actor="test")

    assert [claimed.message_id for claimed in hooking.claim()] == [first.message_id]
    with pytest.raises(NotFound):
        webhooks.redeliver(first.delivery_id, account_id=factories.make_person().account_id, actor="test")


def test_a_test_event_is_the_sample_and_tried_once(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    hooking.tell(person)
    hooking.ended(hooking.claim()[0], 500)

    webhooks.send_test(row.id, "key.rotated", account_id=person.account_id, actor="test")
    [claimed] = hooking.claim()
    hooking.ended(claimed, 500)

    message = json.loads(claimed.body)
    assert (message["type"], message["data"], message["is_test"]) == ("key.rotated", EVENTS["key.rotated"].sample, True)
    assert states() == ["waiting", "given_up"]
    assert webhooks.fan_out() == 0


def test_nobody_uses_us_to_knock_at_doors(app: Flask) -> None:
    person = factories.make_person()
    _, row = hooking.add(person)
    for _ in range(webhooks.MAX_TESTS):
        webhooks.send_test(row.id, "key.created", account_id=person.account_id, actor="test")

    with pytest.raises(TooManyRequests):
        webhooks.send_test(row.id, "key.created", account_id=person.account_id, actor="test")


def test_the_log_has_every_try_with_what_was_said(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    [first] = hooking.claim()
    hooking.ended(first, None, took_ms=10_000)
    hooking.let_pass(timedelta(minutes=1))
    hooking.ended(hooking.claim()[0], 200, took_ms=7)

    story = webhooks.story_of(first.delivery_id, person.account_id)

    assert [(one.number, one.status, one.took_ms, one.error) for one in story.tries] == [
        (2, 200, 7, None),
        (1, None, 10_000, "no whole answer within 10 seconds"),
    ]
    assert json.loads(story.body.encode()) == json.loads(first.body)
    assert (story.delivery.state, story.delivery.attempts, story.delivery.next_try_at) == ("delivered", 2, None)
    with pytest.raises(NotFound):
        webhooks.story_of(first.delivery_id, factories.make_person().account_id)


def test_what_waits_is_counted(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person, 2)
    hooking.let_pass(timedelta(seconds=5))
    hooking.happen(person)

    waiting = webhooks.waiting()

    assert (waiting.events, waiting.deliveries, waiting.failing, waiting.off) == (1, 2, 0, 0)
    assert 5 <= waiting.oldest_due_seconds < 60


def test_what_is_old_goes_with_its_event(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    hooking.tell(person)
    hooking.ended(hooking.claim()[0])

    gone = outbox.forget_before(now() + timedelta(seconds=1), 10)

    assert gone >= 1
    assert hooking.deliveries() == []
    assert scenes.rows("SELECT * FROM webhook_attempts") == []


def test_a_secret_of_another_deployment_key_signs_nothing(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person, seal=Seal("another secret key of forty characters or so", webhooks.SEALED_FOR))
    hooking.tell(person)

    [claimed] = hooking.claim()

    assert claimed.secret_texts == ()
