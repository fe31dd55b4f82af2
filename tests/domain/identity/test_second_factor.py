"""The authenticator: each code once, sealed secrets, recovery codes, and what a reset ends (R26)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from flask import Flask

from reseller.database import acting_as_operator
from reseller.domain.accounts import Person, Role
from reseller.domain.identity import recovery_codes, second_factor, sessions
from reseller.domain.identity.sealing import Broken, Seal
from reseller.errors import Conflict, Forbidden, NotFound
from tests import factories
from tests.authenticator import Authenticator, standing_clock
from tests.domain import scenes
from tests.staff import session_of

SEAL = Seal("k" * 40, second_factor.PURPOSE)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with standing_clock() as standing:
        yield standing


@pytest.fixture
def person(app: Flask) -> Person:
    return factories.make_person(role=Role.SUPPORT)


def enrolled(person: Person) -> tuple[Authenticator, list[str]]:
    """An authenticator of this person, enrolled with the code before the present one; and their recovery codes."""
    secret = second_factor.new_secret()
    phone = Authenticator(secret)
    codes = second_factor.enrol(person.user_id, secret, phone.code(steps=-1), seal=SEAL, replaces=second_factor.enrolled(person.user_id))
    assert codes is not None
    return phone, codes


def test_a_code_of_the_steps_around_now_is_right_and_others_are_not(person: Person, clock: time_machine.Traveller) -> None:
    phone, _ = enrolled(person)
    answers = {}

    for steps in (-3, -2, 2, 3):
        answers[steps] = second_factor.shown(person.user_id, phone.code(steps=steps), seal=SEAL)
    answers[0] = second_factor.shown(person.user_id, phone.code(), seal=SEAL)
    answers[1] = second_factor.shown(person.user_id, phone.code(steps=1), seal=SEAL)

    assert answers == {-3: False, -2: False, 2: False, 3: False, 0: True, 1: True}


def test_a_code_works_once(person: Person) -> None:
    """A code read over the shoulder is worth nothing, also the one that enrolled."""
    phone, _ = enrolled(person)

    first = second_factor.shown(person.user_id, phone.code(), seal=SEAL)

    assert first
    assert not second_factor.shown(person.user_id, phone.code(), seal=SEAL)
    assert not second_factor.shown(person.user_id, phone.code(steps=-1), seal=SEAL)


def test_a_code_sent_many_times_at_once_works_once(app: Flask, person: Person) -> None:
    """Guard: `last_step < step` in the UPDATE."""
    phone, _ = enrolled(person)
    code = phone.code()

    def show(_: int) -> bool:
        with app.app_context(), acting_as_operator():
            return second_factor.shown(person.user_id, code, seal=SEAL)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(show, range(8)))

    assert answers.count(True) == 1


@pytest.mark.parametrize("text", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12 34 5", "-12345", "1e0000"])
def test_what_is_not_six_digits_is_no_code(person: Person, text: str) -> None:
    enrolled(person)

    assert not second_factor.shown(person.user_id, text, seal=SEAL)


def test_the_secret_is_nowhere_in_the_database_in_clear(person: Person) -> None:
    secret = second_factor.new_secret()
    second_factor.enrol(person.user_id, secret, Authenticator(secret).code(), seal=SEAL, replaces=False)

    [row] = scenes.rows("SELECT * FROM second_factors")

    assert secret not in str(row)
    assert secret in SEAL.open(row["sealed_secret"])
    with pytest.raises(Broken):
        Seal("x" * 40, second_factor.PURPOSE).open(row["sealed_secret"])
    with pytest.raises(Broken):
        Seal("k" * 40, "another purpose").open(row["sealed_secret"])


def test_a_sealed_secret_put_into_somebody_else_s_row_opens_nothing(person: Person) -> None:
    """Who can write the tables cannot make their own phone an admin's."""
    admin = factories.make_person(role=Role.ADMIN)
    phone, _ = enrolled(person)
    enrolled(admin)
    moved = (
        "UPDATE second_factors SET sealed_secret = (SELECT sealed_secret FROM second_factors WHERE user_id = :mine) WHERE user_id = :theirs"
    )
    scenes.execute(moved, mine=person.user_id, theirs=admin.user_id)

    with pytest.raises(Conflict):
        second_factor.shown(admin.user_id, phone.code(), seal=SEAL)


def test_a_server_with_another_secret_says_that_it_cannot_check(person: Person) -> None:
    phone, codes = enrolled(person)

    with pytest.raises(Conflict, match="recovery code"):
        second_factor.shown(person.user_id, phone.code(), seal=Seal("x" * 40, second_factor.PURPOSE))

    assert recovery_codes.use(person.user_id, codes[0])


def test_an_enrolment_with_a_wrong_code_changes_nothing(person: Person) -> None:
    secret = second_factor.new_secret()

    codes = second_factor.enrol(person.user_id, secret, Authenticator(secret).wrong_code(), seal=SEAL, replaces=False)

    assert codes is None
    assert not second_factor.enrolled(person.user_id)


def test_an_enrolment_begun_before_another_ended_changes_nothing(person: Person) -> None:
    """A password-only page that stood open must not replace the authenticator that was enrolled meanwhile."""
    phone, codes = enrolled(person)
    late = second_factor.new_secret()

    with pytest.raises(Conflict):
        second_factor.enrol(person.user_id, late, Authenticator(late).code(), seal=SEAL, replaces=False)

    assert second_factor.shown(person.user_id, phone.code(), seal=SEAL)
    assert recovery_codes.use(person.user_id, codes[0])


def test_a_replacement_takes_the_old_authenticator_and_the_old_codes_away(person: Person) -> None:
    old, old_codes = enrolled(person)

    new, _ = enrolled(person)

    assert not second_factor.shown(person.user_id, old.code(), seal=SEAL)
    assert second_factor.shown(person.user_id, new.code(), seal=SEAL)
    assert not recovery_codes.use(person.user_id, old_codes[0])


def test_ten_recovery_codes_of_eighty_bits_work_once_each_however_typed(person: Person) -> None:
    _, codes = enrolled(person)

    answers = [recovery_codes.use(person.user_id, code) for code in (codes[0], codes[0], codes[1].upper().replace("-", " "), codes[2])]

    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) == 16 for code in codes)
    assert answers == [True, False, True, True]
    assert recovery_codes.left(person.user_id) == 7


def test_a_recovery_code_of_somebody_else_does_not_work(person: Person) -> None:
    other = factories.make_person(role=Role.ADMIN)
    _, codes = enrolled(person)
    enrolled(other)

    assert not recovery_codes.use(other.user_id, codes[0])


def test_recovery_codes_are_stored_as_digests(person: Person) -> None:
    _, codes = enrolled(person)

    stored = str(scenes.rows("SELECT * FROM recovery_codes"))

    assert not [code for code in codes if code in stored or code.replace("-", "") in stored]


def test_new_recovery_codes_replace_the_old_ones(person: Person) -> None:
    _, old = enrolled(person)

    new = recovery_codes.issue(person.user_id, actor="test")

    assert not recovery_codes.use(person.user_id, old[0])
    assert recovery_codes.use(person.user_id, new[0])


def test_a_recovery_code_used_at_the_same_instant_works_once(app: Flask, person: Person) -> None:
    """Guard: `used_at IS NULL` in the UPDATE."""
    _, codes = enrolled(person)

    def use(_: int) -> bool:
        with app.app_context(), acting_as_operator():
            return recovery_codes.use(person.user_id, codes[0])

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(use, range(8)))

    assert answers.count(True) == 1


def test_a_reset_takes_everything_and_ends_sessions_and_is_recorded(person: Person) -> None:
    """R26, R37."""
    phone, codes = enrolled(person)
    token = session_of(person.user_id)

    ended = second_factor.reset(person.user_id, actor="cli:root", reason="lost phone")

    assert ended == 1
    assert sessions.find(token) is None
    assert not second_factor.shown(person.user_id, phone.code(), seal=SEAL)
    assert not recovery_codes.use(person.user_id, codes[0])
    [row] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'user.reset_second_factor'")
    assert (row["actor"], row["reason"], row["subject_id"]) == ("cli:root", "lost phone", str(person.user_id))
    with pytest.raises(NotFound):
        second_factor.reset(person.user_id, actor="cli:root", reason="again")


def test_staff_cannot_give_their_second_factor_up_and_customers_can(app: Flask, person: Person) -> None:
    """R26: staff need a second factor."""
    customer = factories.make_person()
    enrolled(person)
    enrolled(customer)
    found: Any = sessions.find(session_of(customer.user_id))

    with pytest.raises(Forbidden):
        second_factor.give_up(person.user_id, keep=found.session_id)
    second_factor.give_up(customer.user_id, keep=found.session_id)

    assert second_factor.enrolled(person.user_id)
    assert not second_factor.enrolled(customer.user_id)


def test_whatever_changes_about_the_second_factor_its_owner_has_a_letter(app: Flask) -> None:
    """R26: whoever has the password alone can add an authenticator, and keep its owner out past a new password."""
    customer = factories.make_person()
    enrolled(customer)
    enrolled(customer)
    recovery_codes.issue(customer.user_id, actor="test")
    second_factor.reset(customer.user_id, actor="cli:root", reason="lost phone")

    letters = scenes.rows("SELECT kind, recipient, facts FROM letters ORDER BY created_at, ctid")

    assert {letter["recipient"] for letter in letters} == {customer.email}
    assert [(letter["kind"], letter["facts"].get("what")) for letter in letters] == [
        ("authenticator_changed", "added"),
        ("authenticator_changed", "replaced"),
        ("recovery_codes_issued", None),
        ("authenticator_changed", "removed"),
    ]


def test_no_secret_and_no_code_is_in_the_audit_log(person: Person) -> None:
    """R37."""
    _, codes = enrolled(person)
    recovery_codes.issue(person.user_id, actor="test")

    written = str(scenes.rows("SELECT * FROM staff_actions"))

    assert "user.enrol_second_factor" in written
    assert not [code for code in codes if code in written]


def test_of_two_enrolments_at_once_one_is_told(app: Flask, person: Person) -> None:
    """Two windows with a QR code each, sent at the same moment."""
    secrets = [second_factor.new_secret() for _ in range(2)]

    def enrol(index: int) -> bool:
        with app.app_context(), acting_as_operator():
            code = Authenticator(secrets[index]).code()
            try:
                return second_factor.enrol(person.user_id, secrets[index], code, seal=SEAL, replaces=False) is not None
            except Conflict:
                return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(enrol, range(2))) == [False, True]
