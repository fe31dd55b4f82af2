"""Room and turns for large bodies (R31), and senders that are not waited for (R29): one piece at a time, without a server."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller.clock import monotonic
from reseller.errors import TooManyAtOnce
from reseller.gateway import body, large_bodies
from reseller.gateway.body import Outline
from reseller.gateway.large_bodies import LargeBodies, LargeBody
from reseller.slow_senders import SentTooSlowly, SlowSenders

MINE, THEIRS = UUID(int=1), UUID(int=2)
NOBODY: dict[str, Any] = {}  # no socket to look at


@pytest.fixture
def house() -> LargeBodies:
    """Room for two bodies of an account, for three altogether."""
    return LargeBodies(room_bytes=300, account_room_bytes=200, room_seconds=0.3)


def entering(house: LargeBodies, account_id: UUID) -> "gevent.Greenlet[..., LargeBody]":
    """Somebody who enters, as soon as there is room; has tried at once."""
    greenlet = gevent.spawn(house.enter, account_id, 100, NOBODY)
    gevent.sleep(0)
    return greenlet


def test_the_third_body_of_an_account_waits_until_one_leaves(house: LargeBodies) -> None:
    first, _ = house.enter(MINE, 100, NOBODY), house.enter(MINE, 100, NOBODY)

    third = entering(house, MINE)
    has_waited = not third.ready()
    first.leave()

    assert has_waited
    assert isinstance(third.get(timeout=10), LargeBody)
    assert house.size == 200


def test_one_account_s_bodies_leave_room_for_another_s(house: LargeBodies) -> None:
    for _ in range(2):
        house.enter(MINE, 100, NOBODY)
    waiting = entering(house, MINE)

    house.enter(THEIRS, 100, NOBODY)

    assert house.size == 300
    assert not waiting.ready()
    waiting.kill()


def test_who_finds_no_room_is_told_to_come_back(house: LargeBodies) -> None:
    bodies = [house.enter(MINE, 100, NOBODY) for _ in range(2)]

    with pytest.raises(TooManyAtOnce) as refused:
        house.enter(MINE, 100, NOBODY)
    for each in bodies:
        each.leave()
        each.leave()

    assert refused.value.retry_after_seconds > 0
    assert house.size == 0
    assert house.enter(MINE, 100, NOBODY)


def test_a_body_beyond_all_room_may_be_there_alone(house: LargeBodies) -> None:
    alone = house.enter(MINE, 1000, NOBODY)

    other = entering(house, THEIRS)
    has_waited = not other.ready()
    alone.leave()

    assert has_waited
    assert isinstance(other.get(timeout=10), LargeBody)


def test_accounts_take_turns_in_rotation_whoever_has_more_to_do(house: LargeBodies) -> None:
    mine, theirs = [house.enter(MINE, 10, NOBODY) for _ in range(3)], house.enter(THEIRS, 10, NOBODY)
    order: list[str] = []

    def step(who: str, large: LargeBody) -> Callable[[], None]:
        def work() -> None:
            with large.in_turn():
                order.append(who)

        return work

    gevent.joinall([gevent.spawn(step("mine", each)) for each in mine] + [gevent.spawn(step("theirs", theirs))], timeout=10)

    assert len(order) == 4
    assert order.index("theirs") <= 1


def test_after_each_step_others_have_the_processor_for_twice_as_long(house: LargeBodies, monkeypatch: pytest.MonkeyPatch) -> None:
    now, rests = [1000.0], list[float]()
    monkeypatch.setattr(large_bodies, "monotonic", lambda: now[0])
    monkeypatch.setattr(large_bodies, "sleep", lambda seconds: rests.append(seconds))
    large = house.enter(MINE, 10, NOBODY)

    with large.in_turn():
        now[0] += 0.05
    with large.in_turn():
        pass

    assert rests[-1] == pytest.approx(0.1)


def test_a_body_that_is_overdue_is_not_waited_for() -> None:
    def never(size: int) -> bytes:
        gevent.sleep(60)
        return b""

    slow = SlowSenders()
    reader = gevent.spawn(slow.read, monotonic() - 1, never, 10)
    patient = gevent.spawn(slow.read, monotonic() + 60, never, 10)

    with pytest.raises(SentTooSlowly):
        reader.get(timeout=10)

    assert not patient.ready()
    patient.kill()
    assert slow.read(monotonic() - 1, lambda size: b"x" * size, 3) == b"xxx"


def deepest(raw: bytes) -> int:
    """The same figure, one byte after another."""
    depth = most = position = 0
    is_in_string = False
    while position < len(raw):
        byte = raw[position : position + 1]
        if is_in_string:
            position += byte == b"\\"
            is_in_string = byte != b'"'
        elif byte == b'"':
            is_in_string = True
        elif byte in b"[{":
            depth += 1
            most = max(most, depth)
        elif byte in b"]}":
            depth -= 1
        position += 1
    return most


strings = st.lists(st.sampled_from([b"a", b"[", b"]", b"{", b",", b"\\\\", b'\\"', b"\\n", "ž".encode()])).map(
    lambda parts: b'"' + b"".join(parts) + b'"'
)
texts = st.lists(st.one_of(strings, st.sampled_from([b"[", b"]", b"{", b"}", b",", b":", b"1", b" "]))).map(b"".join)


@given(texts, st.booleans(), st.integers(1, 9))
def test_depth_is_right_wherever_the_text_is_cut(raw: bytes, is_cut_off: bool, piece_bytes: int) -> None:
    raw = raw[: len(raw) * 2 // 3] if is_cut_off else raw
    outline = Outline()
    for start in range(0, len(raw), piece_bytes):
        outline.take(raw[start : start + piece_bytes])

    assert outline.deepest == deepest(raw)


def test_what_is_in_strings_is_no_part() -> None:
    outline = Outline()
    outline.take(b'{"a,:[{": ["x", "[,]", {}], "b": 1}')

    assert (outline.containers, outline.entries, outline.deepest) == (3, 2 * 3 + 2 + 3, 3)
    assert body.MAX_CONTAINERS < body.MAX_ENTRIES
