"""Letters on their way: none lost, none sent to two workers at once, each tried again for as long as it is of use."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from reseller.clock import now
from reseller.database import acting_as_operator, transaction
from reseller.domain import letters
from reseller.domain.letters import AT_WORK, FIRST, GAPS_SECONDS, KEPT, LASTS, MANY, MANY_IN, LetterKind
from tests.authenticator import standing_clock
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")


def write(recipient: str = "ann@example.com", **more: Any) -> None:
    letters.write(LetterKind.RESET_PASSWORD, recipient, sealed_token="sealed", **more)


def _written_in_vain() -> None:
    with transaction():
        write()
        raise RuntimeError("the cause did not happen")


def row() -> dict[str, Any]:
    [only] = scenes.rows("SELECT * FROM letters")
    return only


def test_a_letter_and_its_cause_are_written_together_or_not_at_all() -> None:
    with pytest.raises(RuntimeError):
        _written_in_vain()

    assert scenes.rows("SELECT * FROM letters") == []


def test_a_letter_is_claimed_by_one_worker_and_its_token_is_gone_once_it_is_sent(app: Flask) -> None:
    for number in range(8):
        write(f"{number}@example.com")

    claimed = scenes.in_threads(4, lambda: claimed_in(app, 4))
    for letter in (letter for some in claimed for letter in some):
        letters.record_sent(letter.id)

    assert sorted(letter.recipient for some in claimed for letter in some) == [f"{number}@example.com" for number in range(8)]
    rows = scenes.rows("SELECT state, sealed_token, attempts, sent_at FROM letters")
    assert {(row["state"], row["sealed_token"], row["attempts"], row["sent_at"] is not None) for row in rows} == {("sent", "", 1, True)}


def claimed_in(app: Flask, limit: int) -> list[letters.Claimed]:
    with app.app_context(), acting_as_operator():
        return letters.claim_due(limit)


def test_alarms_and_what_somebody_waits_for_go_before_older_letters() -> None:
    with standing_clock() as clock:
        for kind in (LetterKind.BUDGET_CROSSED, LetterKind.LOW_BALANCE, LetterKind.RESET_PASSWORD, LetterKind.OPERATOR_ALARM):
            letters.write(kind, "ann@example.com")
            clock.shift(timedelta(seconds=1))

        claimed = [[letter.kind.value for letter in letters.claim_due(limit)] for limit in (1, 2, 9)]

    assert claimed == [["reset_password"], ["operator_alarm", "budget_crossed"], ["low_balance"]]


def test_a_mailbox_that_had_many_letters_of_a_kind_has_no_more_of_it_for_an_hour() -> None:
    """Who alternates a setting stops nobody's mail."""
    with standing_clock() as clock:
        for _ in range(MANY + 5):
            letters.write(LetterKind.PASSWORD_CHANGED, "ann@example.com")
        for kind, recipient in ((LetterKind.LOW_BALANCE, "ann@example.com"), (LetterKind.PASSWORD_CHANGED, "bob@example.com")):
            letters.write(kind, recipient)
        counts = [written()]
        clock.shift(MANY_IN)
        letters.write(LetterKind.PASSWORD_CHANGED, "ann@example.com")
        counts.append(written())

    assert counts == [MANY + 2, MANY + 3]


@pytest.mark.parametrize("kind", sorted(FIRST))
def test_what_somebody_waits_for_is_written_however_often(kind: LetterKind) -> None:
    for _ in range(MANY + 1):
        letters.write(kind, "ann@example.com")

    assert written() == MANY + 1


def written() -> int:
    return len(scenes.rows("SELECT id FROM letters"))


def test_a_letter_whose_worker_died_is_sent_again_after_a_while() -> None:
    """Twice in a rare while, never not at all."""
    with standing_clock() as clock:
        write()
        first = letters.claim_due(10)
        at_once = letters.claim_due(10)
        clock.shift(AT_WORK + timedelta(seconds=1))
        again = letters.claim_due(10)

    assert [len(first), len(at_once), len(again)] == [1, 0, 1]
    assert again[0].sealed_token == "sealed"


def test_gaps_between_attempts_grow_and_a_letter_of_no_more_use_is_given_up() -> None:
    gaps, goes_on = [], True
    with standing_clock() as clock:
        write()
        while goes_on:
            [letter] = letters.claim_due(10)
            goes_on = letters.record_failure(letter.id, "connection refused")
            gaps.append(round((row()["next_try_at"] - now()).total_seconds()))
            clock.move_to(row()["next_try_at"])

    assert tuple(gaps[: len(GAPS_SECONDS)]) == GAPS_SECONDS
    assert set(gaps[len(GAPS_SECONDS) :]) == {GAPS_SECONDS[-1]}
    assert timedelta(hours=22) < timedelta(seconds=sum(gaps)) <= LASTS + timedelta(hours=1)
    assert (row()["state"], row()["sealed_token"], row()["error"]) == ("given_up", "", "connection refused")
    assert letters.claim_due(10) == []


def test_a_letter_is_not_tried_longer_than_its_link_works() -> None:
    write(lasts=timedelta(seconds=20))
    [letter] = letters.claim_due(1)

    assert not letters.record_failure(letter.id, "busy")


def test_a_letter_in_a_worker_s_hands_is_not_given_up_under_them() -> None:
    with standing_clock() as clock:
        write(lasts=timedelta(seconds=20))
        letters.claim_due(1)
        clock.shift(timedelta(seconds=30))
        in_hand = letters.give_up_late()
        clock.shift(AT_WORK)

        assert (in_hand, letters.claim_due(1)) == ([], [])
        assert [late.error for late in letters.give_up_late()] == ["of no more use before its turn came"]


def test_a_letter_of_a_kind_that_only_a_later_release_knows_keeps_no_other_back() -> None:
    for recipient in ("ann@example.com", "bob@example.com"):
        write(recipient)
    scenes.execute("UPDATE letters SET kind = 'of_tomorrow' WHERE recipient = 'ann@example.com'")
    claimed = [letter.recipient for letter in letters.claim_due(9)]
    scenes.execute("UPDATE letters SET useful_until = now()")

    assert (claimed, [late.kind for late in letters.give_up_late()]) == (["bob@example.com"], ["of_tomorrow"])


def test_what_was_sent_meanwhile_is_not_tried_again() -> None:
    write()
    [letter] = letters.claim_due(1)
    letters.record_sent(letter.id)

    assert letters.record_failure(letter.id, "late news")
    assert (row()["state"], row()["error"]) == ("sent", None)


@pytest.mark.parametrize(
    ("endings", "is_grave"),
    [
        ([], False),
        (["sent", "refused"], False),
        (["refused"] * 3, True),
        (["sent"] * 3 + ["refused"] * 3, False),
        (["sent"] * 9 + ["given_up"], True),
    ],
)
def test_trouble_is_what_the_mail_server_does_and_not_what_strangers_mistype(endings: list[str], is_grave: bool) -> None:
    for ending in endings:
        write(lasts=timedelta(seconds=20))
        [letter] = letters.claim_due(1)
        end: dict[str, Callable[[], Any]] = {
            "sent": lambda: letters.record_sent(letter.id),  # noqa: B023 - called at once
            "refused": lambda: letters.record_refused(letter.id, "550 no such mailbox"),  # noqa: B023
            "given_up": lambda: letters.record_failure(letter.id, "down"),  # noqa: B023
        }
        end[ending]()

    assert letters.trouble().is_grave == is_grave


def test_old_letters_are_gone_and_those_that_wait_stay() -> None:
    with time_machine.travel(now() - KEPT - timedelta(hours=1)):
        for _ in range(2):
            write()
        letters.record_sent(letters.claim_due(1)[0].id)
    write()

    assert letters.forget_old() == 1
    assert len(scenes.rows("SELECT * FROM letters")) == 2
