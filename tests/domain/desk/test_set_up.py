"""The set-up list says what is, and what cannot be looked up is confirmed by a person (R37)."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.domain import accounts, jobs, letters, supplier
from reseller.domain.accounts import Person, Role
from reseller.domain.calls import processes
from reseller.domain.desk import readiness, set_up
from reseller.domain.desk.readiness import Deployment, Point, PointState
from reseller.domain.letters import LetterKind
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests import factories
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")
GOOD = Deployment(
    is_production=True,
    secret_characters=64,
    public_url="https://shop.example",
    has_stripe=True,
    takes_real_money=True,
    has_mail=True,
    trusted_proxies=1,
    watches_upstream=True,
)


@pytest.fixture
def admin() -> Person:
    return factories.make_person(role=Role.ADMIN)


def listed(deployment: Deployment = GOOD) -> dict[str, Point]:
    return {point.name: point for point in readiness.points(deployment)}


def waiting(deployment: Deployment = GOOD) -> set[str]:
    return {name for name, point in listed(deployment).items() if point.state != PointState.DONE}


def states(deployment: Deployment = GOOD) -> dict[str, PointState]:
    return {name: point.state for name, point in listed(deployment).items()}


def run(name: str, *, error: str | None = None) -> None:
    worker = new_id()
    jobs.lease(name, 0, worker)
    jobs.finish(name, worker, result=None if error else "fine", error=error)


def enrol(who: Person) -> None:
    scenes.execute("INSERT INTO second_factors VALUES (:id, 'sealed', now(), 0, now())", id=who.user_id)


def test_a_fresh_shop_waits_for_everything_that_must_be_done(admin: Person) -> None:
    assert waiting() == {
        "upstream_agreement", "pricing_rules", "catalogue", "second_factors", "approvers", "worker", "ledger", "backup",
    }  # fmt: skip


def test_a_shop_that_is_ready_has_nothing_left(admin: Person) -> None:
    second = factories.make_person(role=Role.FINANCE)
    for who in (admin, second):
        enrol(who)
    for name in ("sync catalogue", "verify ledger"):
        run(name)
    processes.beat(new_id(), "worker")
    factories.make_rule()
    for name in (set_up.AGREEMENT, set_up.BACKUP):
        set_up.confirm(name, user_id=admin.user_id, note="by letter of 1 May, in the safe")

    assert waiting() == set()


@pytest.mark.parametrize(
    ("name", "deployment", "state"),
    [
        ("production", replace(GOOD, is_production=False), PointState.OPEN),
        ("production", replace(GOOD, secret_characters=31), PointState.OPEN),
        ("production", replace(GOOD, public_url="http://shop.example"), PointState.OPEN),
        ("mail", replace(GOOD, has_mail=False), PointState.OPEN),
        ("stripe", replace(GOOD, has_stripe=False, takes_real_money=False), PointState.ADVISED),
        ("stripe", replace(GOOD, takes_real_money=False), PointState.OPEN),
        ("stripe", replace(GOOD, takes_real_money=False, is_production=False), PointState.ADVISED),
        ("supplier", replace(GOOD, watches_upstream=False), PointState.ADVISED),
        ("trusted_proxies", replace(GOOD, trusted_proxies=0), PointState.ADVISED),
        ("trusted_proxies", replace(GOOD, trusted_proxies=0, is_production=False), PointState.DONE),
    ],
)
def test_what_the_environment_lacks_is_named(name: str, deployment: Deployment, state: PointState) -> None:
    assert states(deployment)[name] == state
    assert states(GOOD)[name] == PointState.DONE


def test_mail_that_does_not_get_through_is_named_with_its_error() -> None:
    letters.write(LetterKind.NO_ACCOUNT, "ann@example.com")
    before = states()["mail"]
    [letter] = letters.claim_due(1)
    letters.record_failure(letter.id, "535 wrong password")

    assert (before, states()["mail"]) == (PointState.DONE, PointState.OPEN)
    assert "535 wrong password" in listed()["mail"].found


def test_staff_without_a_second_factor_are_named(admin: Person) -> None:
    late = factories.make_person(role=Role.SUPPORT)
    enrol(admin)

    point = listed()["second_factors"]

    assert point.state == PointState.OPEN
    assert late.email in point.found
    assert admin.email not in point.found


def test_a_job_that_fails_and_books_that_were_not_proved_are_open() -> None:
    for name in ("verify ledger", "tidy"):
        run(name)
    before = states()
    run("tidy", error="broken")
    run("verify ledger", error="1 mismatch")

    assert (before["jobs"], before["ledger"]) == (PointState.DONE, PointState.DONE)
    assert (states()["jobs"], states()["ledger"]) == (PointState.OPEN, PointState.OPEN)
    assert "tidy, verify ledger" in listed()["jobs"].found


def test_a_proof_grows_old() -> None:
    run("verify ledger")
    scenes.execute("UPDATE job_runs SET succeeded_at = now() - interval '4 hours'")

    assert listed()["ledger"].found == "4 hours ago."
    assert states()["ledger"] == PointState.OPEN


def test_a_halted_account_keeps_the_books_open() -> None:
    run("verify ledger")
    accounts.halt(factories.make_person().account_id, reason="balances: 1 too much")

    assert states()["ledger"] == PointState.OPEN
    assert "stand still: 1" in listed()["ledger"].found


def test_a_worker_that_is_silent_is_not_alive() -> None:
    processes.beat(new_id(), "worker")
    before = states()["worker"]
    scenes.execute("UPDATE processes SET beat_at = beat_at - make_interval(secs => 31)")

    assert (before, states()["worker"]) == (PointState.DONE, PointState.OPEN)


def test_a_superuser_is_told_that_the_walls_do_not_hold_it(superuser_url: str, make_app: Callable[..., Flask]) -> None:
    """R23."""
    with make_app(DATABASE_URL=superuser_url).app_context():
        as_superuser = states()["database_role"]

    assert (as_superuser, states()["database_role"]) == (PointState.OPEN, PointState.DONE)


def test_a_confirmation_says_who_and_when_and_is_given_once(admin: Person) -> None:
    set_up.confirm(set_up.AGREEMENT, user_id=admin.user_id, note="  letter of 1 May ")

    with pytest.raises(Conflict):
        set_up.confirm(set_up.AGREEMENT, user_id=admin.user_id, note="again")

    confirmed = listed()[set_up.AGREEMENT].confirmed
    assert confirmed is not None
    assert (confirmed.email, confirmed.note) == (admin.email, "letter of 1 May")
    assert scenes.rows("SELECT action, reason FROM staff_actions WHERE action LIKE 'set_up.%'") == [
        {"action": "set_up.confirm", "reason": "letter of 1 May"}
    ]


def test_a_confirmation_that_holds_no_more_is_withdrawn_with_a_reason(admin: Person) -> None:
    set_up.confirm(set_up.AGREEMENT, user_id=admin.user_id, note="letter of 1 May")

    with pytest.raises(InvalidRequest):
        set_up.withdraw_confirmation(set_up.AGREEMENT, user_id=admin.user_id, reason=" ")
    set_up.withdraw_confirmation(set_up.AGREEMENT, user_id=admin.user_id, reason="they cancelled")

    assert states()[set_up.AGREEMENT] == PointState.OPEN
    with pytest.raises(NotFound):
        set_up.withdraw_confirmation(set_up.AGREEMENT, user_id=admin.user_id, reason="again")


@pytest.mark.parametrize(("name", "note"), [("stripe", "it is on"), ("nothing", "x")])
def test_only_what_cannot_be_looked_up_is_confirmed(admin: Person, name: str, note: str) -> None:
    with pytest.raises(NotFound):
        set_up.confirm(name, user_id=admin.user_id, note=note)


@pytest.mark.parametrize("note", ["", "  ", "x" * 501])
def test_a_confirmation_says_what_was_agreed(admin: Person, note: str) -> None:
    with pytest.raises(InvalidRequest):
        set_up.confirm(set_up.AGREEMENT, user_id=admin.user_id, note=note)


def test_credit_that_runs_out_upstream_must_be_seen_to_before_selling_on() -> None:
    def after(used: int) -> Point:
        supplier.note("openrouter", bought_usd=Decimal(100), used_usd=Decimal(used), threshold=supplier.Threshold(Decimal(20), 0))
        return listed()["supplier"]

    assert after(50).state == PointState.DONE
    low = after(95)
    assert (low.state, low.found) == (PointState.OPEN, "The credit there is low; 0 days differ from our books.")
