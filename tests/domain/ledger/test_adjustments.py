"""Adjustments: a cap for each person and day that no haste gets around, somebody else above it, money once (promise R25)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import acting_as_operator, transaction
from reseller.domain import ledger
from reseller.domain.accounts import Membership, Person, Role
from reseller.domain.ledger import Adjustment, AdjustmentDraft, adjustments, caps
from reseller.errors import Conflict, Forbidden, InsufficientBalance, InvalidRequest, NotFound, Refusal
from tests import factories
from tests.domain import scenes

CAPS = {Role.SUPPORT: Decimal(50), Role.FINANCE: Decimal(500), Role.ADMIN: Decimal(2000)}


def draft(customer: Person, usd: str, *, nonce: UUID | None = None, reason: str = "goodwill") -> AdjustmentDraft:
    return AdjustmentDraft(nonce or new_id(), customer.account_id, Decimal(usd), reason)


def ask(who: Person, customer: Person, usd: str, **facts: Any) -> Adjustment:
    return adjustments.request(draft(customer, usd, **facts), who.user_id, CAPS)


def settled(customer: Person) -> Decimal:
    with transaction():
        return Decimal(ledger.balance_now(customer.account_id).settled_nano).scaleb(-9)


def actions(verb: str) -> list[dict[str, Any]]:
    return scenes.rows("SELECT * FROM staff_actions WHERE action = :action ORDER BY id", action=f"adjustment.{verb}")


@pytest.fixture
def support(app: Flask) -> Person:
    return factories.make_person(role=Role.SUPPORT)


@pytest.fixture
def finance(app: Flask) -> Person:
    return factories.make_person(role=Role.FINANCE)


@pytest.fixture
def customer(app: Flask) -> Person:
    return factories.make_person(usd="10")


def test_within_the_cap_the_money_moves_at_once_and_leaves_its_traces(support: Person, customer: Person) -> None:
    """R25, R37: entry with reason and actor, audit row beside it, and the books add up."""
    made = ask(support, customer, "20.5", reason="an outage on Monday")

    assert (made.state, settled(customer)) == ("posted", Decimal("30.5"))
    [entry] = scenes.rows("SELECT * FROM ledger_entries WHERE reference = :id", id=str(made.id))
    assert (entry["kind"], entry["actor"], entry["reason"]) == ("adjustment", f"user:{support.user_id}", "an outage on Monday")
    [action] = actions("post")
    assert (action["actor"], action["account_id"], action["changes"]["amount_usd"]) == (
        f"user:{support.user_id}",
        customer.account_id,
        [None, "20.5"],
    )
    assert scenes.problems() == []


def test_above_the_cap_it_waits_and_moves_nothing(support: Person, customer: Person) -> None:
    made = ask(support, customer, "50.000000001")

    assert (made.state, made.entry_id, settled(customer)) == ("waiting", None, Decimal(10))
    assert len(actions("request")) == 1


def test_many_small_ones_count_together_up_and_down(support: Person, customer: Person) -> None:
    """R25: neither slices nor taking back make room again."""
    states = [ask(support, customer, usd).state for usd in ("20", "-20", "9.99", "0.01", "0.000000001")]

    assert states == ["posted"] * 4 + ["waiting"]
    assert caps.spent_today(support.user_id) == Decimal(50)


def test_what_was_adjusted_yesterday_does_not_count_today(support: Person, customer: Person) -> None:
    ask(support, customer, "50")
    scenes.execute("UPDATE cap_uses SET created_at = created_at - interval '1 day'")

    assert ask(support, customer, "50").state == "posted"


def test_each_person_has_a_cap_of_their_own(support: Person, customer: Person) -> None:
    colleague = factories.make_person(role=Role.SUPPORT)
    ask(support, customer, "50")

    assert ask(colleague, customer, "50").state == "posted"


def test_the_cap_is_that_of_the_role_in_the_database(support: Person, finance: Person, customer: Person) -> None:
    """R24: whatever a form or a session says."""
    scenes.execute("UPDATE users SET role = 'customer' WHERE id = :id", id=support.user_id)

    with pytest.raises(Forbidden):
        ask(support, customer, "1")
    assert ask(finance, customer, "500").state == "posted"


@pytest.mark.parametrize("number", range(3))
def test_parallel_requests_never_exceed_the_cap_together(
    make_app: Callable[..., Flask], support: Person, customer: Person, number: int
) -> None:
    """R25: from two processes with four threads each, only what fits into the cap is posted."""
    apps = [make_app(), make_app()]

    def one(index: int) -> str:
        with apps[index % 2].app_context(), acting_as_operator():
            return str(ask(support, customer, "20").state)

    with ThreadPoolExecutor(max_workers=8) as pool:
        states = list(pool.map(one, range(8)))

    assert sorted(states) == ["posted"] * 2 + ["waiting"] * 6
    assert settled(customer) == Decimal(50)


def test_the_same_form_twice_moves_money_once(support: Person, customer: Person) -> None:
    """R15, R25."""
    nonce = new_id()

    first, second = (ask(support, customer, "20", nonce=nonce) for _ in range(2))

    assert first.entry_id == second.entry_id
    assert settled(customer) == Decimal(30)
    assert len(actions("post")) == 1


def test_the_same_form_at_the_same_instant_moves_money_once(make_app: Callable[..., Flask], support: Person, customer: Person) -> None:
    nonce, apps = new_id(), [make_app(), make_app()]

    def one(index: int) -> UUID | None:
        with apps[index % 2].app_context(), acting_as_operator():
            return ask(support, customer, "20", nonce=nonce).entry_id

    with ThreadPoolExecutor(max_workers=4) as pool:
        entries = set(pool.map(one, range(4)))

    assert len(entries) == 1
    assert settled(customer) == Decimal(30)


@pytest.mark.parametrize("other", ["amount", "reason", "account", "person"])
def test_a_nonce_used_for_something_else_is_a_conflict(support: Person, finance: Person, customer: Person, other: str) -> None:
    nonce = new_id()
    ask(support, customer, "20", nonce=nonce)
    who = finance if other == "person" else support
    whom = factories.make_person() if other == "account" else customer

    with pytest.raises(Conflict):
        ask(who, whom, "21" if other == "amount" else "20", nonce=nonce, reason="another" if other == "reason" else "goodwill")

    assert settled(customer) == Decimal(30)


def test_two_people_with_one_nonce_at_the_same_instant_move_money_once(
    make_app: Callable[..., Flask], support: Person, finance: Person, customer: Person
) -> None:
    nonce, apps = new_id(), [make_app(), make_app()]

    def one(index: int) -> str:
        with apps[index].app_context(), acting_as_operator():
            try:
                return str(ask((support, finance)[index], customer, "20", nonce=nonce).state)
            except Conflict:
                return "conflict"

    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = sorted(pool.map(one, range(2)))

    assert answers == ["conflict", "posted"]
    assert settled(customer) == Decimal(30)


def test_the_reference_of_an_older_entry_is_no_nonce(support: Person, customer: Person) -> None:
    """A row that says "posted" beside somebody else's entry would be a lie."""
    reference = new_id()
    ledger.grant(customer.account_id, Decimal(20), reason="by command", actor="cli:root", reference=str(reference))

    with pytest.raises(Conflict):
        ask(support, customer, "20", nonce=reference)

    assert settled(customer) == Decimal(30)
    assert scenes.rows("SELECT id FROM adjustments") == []


def test_a_debit_takes_at_most_what_is_available(support: Person, customer: Person) -> None:
    """R3: and leaves no row behind, so that the same form can be sent again with less."""
    with pytest.raises(InsufficientBalance, match=r"only \$10.00 is available"):
        ask(support, customer, "-10.01")

    assert settled(customer) == Decimal(10)
    assert scenes.rows("SELECT id FROM adjustments") == []


@pytest.mark.parametrize(
    ("usd", "reason"), [("0", "x"), ("1000000.01", "x"), ("NaN", "x"), ("0.0000000001", "x"), ("1", "  "), ("1", "y" * 501), ("1", "\x00")]
)
def test_amounts_and_reasons_that_cannot_be_meant_are_refused(support: Person, customer: Person, usd: str, reason: str) -> None:
    with pytest.raises(InvalidRequest):
        ask(support, customer, usd, reason=reason)

    assert settled(customer) == Decimal(10)


def test_nobody_adjusts_their_own_account(support: Person) -> None:
    with pytest.raises(Forbidden, match="your own"):
        ask(support, support, "1")


def test_an_account_that_is_not_there_is_not_found(support: Person) -> None:
    with pytest.raises(NotFound):
        adjustments.request(AdjustmentDraft(new_id(), new_id(), Decimal(1), "x"), support.user_id, CAPS)


def test_a_second_person_approves_and_both_are_named(support: Person, finance: Person, customer: Person) -> None:
    """R25: and it counts in nobody's own cap."""
    waiting = ask(support, customer, "400")

    approved = adjustments.approve(waiting.id, finance.user_id, note="agreed by phone")

    assert (approved.state, approved.decided_by_id, settled(customer)) == ("posted", finance.user_id, Decimal(410))
    assert [row["actor"] for row in actions("approve")] == [f"user:{finance.user_id}"]
    assert [caps.spent_today(who.user_id) for who in (support, finance)] == [Decimal(0), Decimal(0)]
    assert scenes.problems() == []


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE, Role.ADMIN])
def test_nobody_approves_what_they_asked_for(app: Flask, customer: Person, role: Role) -> None:
    """R25."""
    who = factories.make_person(role=role)
    waiting = ask(who, customer, "2001")

    with pytest.raises(Forbidden, match="yourself"):
        adjustments.approve(waiting.id, who.user_id)

    assert settled(customer) == Decimal(10)


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.CUSTOMER])
def test_support_and_customers_approve_nothing(support: Person, customer: Person, role: Role) -> None:
    waiting = ask(support, customer, "400")
    colleague = factories.make_person(role=role)

    for decide in (adjustments.approve, adjustments.reject):
        with pytest.raises(Forbidden):
            decide(waiting.id, colleague.user_id, note="x")

    assert settled(customer) == Decimal(10)


def test_nobody_approves_a_credit_for_their_own_account(support: Person, finance: Person) -> None:
    waiting = ask(support, finance, "400")

    with pytest.raises(Forbidden, match="your own"):
        adjustments.approve(waiting.id, finance.user_id)
    with pytest.raises(Forbidden, match="your own"):
        adjustments.reject(waiting.id, finance.user_id, note="x")

    assert settled(finance) == 0


def test_whoever_joined_the_account_after_asking_gets_nothing_approved(support: Person, finance: Person, customer: Person) -> None:
    waiting = ask(support, customer, "400")
    with transaction() as session:
        session.add(Membership(account_id=customer.account_id, user_id=support.user_id, role="member"))

    with pytest.raises(Forbidden, match="belongs to whoever asked"):
        adjustments.approve(waiting.id, finance.user_id)
    adjustments.reject(waiting.id, finance.user_id, note="their own by now")

    assert settled(customer) == Decimal(10)


def test_what_is_decided_stays_decided(support: Person, finance: Person, customer: Person) -> None:
    approved, rejected = ask(support, customer, "400"), ask(support, customer, "300")
    adjustments.approve(approved.id, finance.user_id)
    adjustments.reject(rejected.id, finance.user_id, note="not ours to pay")

    for adjustment in (approved, rejected):
        with pytest.raises(Conflict):
            adjustments.approve(adjustment.id, finance.user_id)
        with pytest.raises(Conflict):
            adjustments.reject(adjustment.id, finance.user_id, note="again")

    assert settled(customer) == Decimal(410)


def test_two_approvers_at_the_same_instant_move_money_once(make_app: Callable[..., Flask], support: Person, customer: Person) -> None:
    waiting_id, apps = ask(support, customer, "400").id, [make_app(), make_app()]
    approvers = [factories.make_person(role=role) for role in (Role.FINANCE, Role.ADMIN)]

    def one(index: int) -> str:
        with apps[index].app_context(), acting_as_operator():
            try:
                return str(adjustments.approve(waiting_id, approvers[index].user_id).state)
            except Refusal as refusal:
                return type(refusal).__name__

    with ThreadPoolExecutor(max_workers=2) as pool:
        answers = sorted(pool.map(one, range(2)))

    assert answers == ["Conflict", "posted"]
    assert settled(customer) == Decimal(410)


def test_a_debit_that_has_become_too_large_goes_on_waiting(support: Person, finance: Person, customer: Person) -> None:
    factories.grant(customer, usd="90")
    waiting = ask(support, customer, "-100")
    factories.grant(customer, usd="-1")

    with pytest.raises(InsufficientBalance):
        adjustments.approve(waiting.id, finance.user_id)

    [row] = scenes.rows("SELECT state, decided_by_id FROM adjustments")
    assert (row["state"], row["decided_by_id"]) == ("waiting", None)


def test_whoever_asked_may_take_it_back_with_a_reason(support: Person, customer: Person) -> None:
    waiting = ask(support, customer, "400")

    with pytest.raises(InvalidRequest):
        adjustments.withdraw(waiting.id, support.user_id, note=" ")
    with pytest.raises(Forbidden):
        adjustments.withdraw(waiting.id, factories.make_person(role=Role.ADMIN).user_id, note="not mine")
    withdrawn = adjustments.withdraw(waiting.id, support.user_id, note="a typing error")

    assert (withdrawn.state, settled(customer)) == ("rejected", Decimal(10))
    assert [row["reason"] for row in actions("withdraw")] == ["a typing error"]
