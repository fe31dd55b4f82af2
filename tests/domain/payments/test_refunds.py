"""Refunds of what is spent: nobody's own, within the cap that adjustments count in, however many at once (R25)."""

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
from reseller.domain.ledger import AdjustmentDraft, adjustments, caps
from reseller.domain.payments import refunds
from reseller.domain.payments.refunds import Asked, RefundDraft
from reseller.domain.payments.topups import Order
from reseller.errors import Conflict, Forbidden, InvalidRequest
from tests import factories
from tests.domain import scenes
from tests.domain.payments import paying

CAPS = {Role.SUPPORT: Decimal(50), Role.FINANCE: Decimal(500), Role.ADMIN: Decimal(2000)}


@pytest.fixture
def buyer(app: Flask) -> Person:
    return factories.make_person()


@pytest.fixture
def finance(app: Flask) -> Person:
    return factories.make_person(role=Role.FINANCE)


def ask(who: Person, order: Order, usd: str, *, nonce: UUID | None = None, unspent: str = "0") -> Asked:
    """By somebody whose page said how much of it was not spent; "0": who would pay back what is spent, whatever it is."""
    return refunds.ask(RefundDraft(nonce or new_id(), order.payment_id, Decimal(usd), "asked for it", Decimal(unspent)), who.user_id, CAPS)


def spend(buyer: Person, usd: str) -> None:
    ledger.grant(buyer.account_id, -Decimal(usd), reason="as if spent", actor="test")


def adjust(who: Person, buyer: Person, usd: str, nonce: UUID | None = None) -> Any:
    return adjustments.request(AdjustmentDraft(nonce or new_id(), buyer.account_id, Decimal(usd), "goodwill"), who.user_id, CAPS)


def used(who: Person) -> Decimal:
    with transaction():
        return caps.spent_today(who.user_id)


# Whose it may be.


def test_nobody_refunds_a_payment_of_their_own_account(app: Flask) -> None:
    who = factories.make_person(role=Role.FINANCE)
    order = paying.buy(who, "900")
    spend(who, "900")

    with pytest.raises(Forbidden, match="Somebody else must refund it"):
        ask(who, order, "900")

    assert refunds.is_own(order.payment_id, who.user_id)
    assert (paying.balance(who), scenes.rows("SELECT 1 FROM payment_refunds")) == (0, [])


def test_neither_of_an_account_that_they_are_a_member_of(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer)
    with transaction() as session:
        session.add(Membership(user_id=finance.user_id, account_id=buyer.account_id))

    with pytest.raises(Forbidden, match="Somebody else must refund it"):
        ask(finance, order, "5")


def test_nor_one_that_they_have_paid_with_their_own_card_for_an_account_they_have_left(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer)
    scenes.execute("UPDATE payments SET user_id = :id", id=finance.user_id)

    with pytest.raises(Forbidden, match="Somebody else must refund it"):
        ask(finance, order, "5")


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.SUPPORT])
def test_the_role_is_that_of_the_database(buyer: Person, finance: Person, role: Role) -> None:
    """R24: whatever a session says."""
    order = paying.buy(buyer)
    scenes.execute("UPDATE users SET role = :role WHERE id = :id", role=role, id=finance.user_id)

    with pytest.raises(Forbidden):
        ask(finance, order, "5")


# What counts.


def test_what_is_not_spent_uses_nothing_of_the_cap(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer, "900")

    ask(finance, order, "900")

    assert (paying.balance(buyer), used(finance)) == (0, 0)


def test_of_a_refund_only_the_spent_part_counts(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer, "900")
    spend(buyer, "300")

    ask(finance, order, "900")

    assert (paying.balance(buyer), used(finance)) == (Decimal(-300), Decimal(300))
    [action] = scenes.rows("SELECT changes FROM staff_actions WHERE action = 'payment.refund'")
    assert action["changes"] == {"amount_usd": [None, "900"], "of_it_spent_usd": [None, "300"]}


def test_above_the_cap_nothing_moves_and_the_words_say_what_may(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer, "900")
    spend(buyer, "700")

    with pytest.raises(
        InvalidRequest, match=r"\$700\.00 of it is spent already.* \$500\.00 more today: refund at most \$700\.00"
    ) as refused:
        ask(finance, order, "900")

    assert refused.value.param == "amount_usd"
    assert (paying.balance(buyer), used(finance), scenes.rows("SELECT 1 FROM payment_refunds")) == (Decimal(200), 0, [])
    ask(finance, order, "700")
    assert (paying.balance(buyer), used(finance)) == (Decimal(-500), Decimal(500))


def test_what_was_spent_since_the_page_was_opened_does_not_go_back_unseen(buyer: Person, finance: Person) -> None:
    """A customer who asks for a refund and spends on meanwhile would have both."""
    order = paying.buy(buyer, "100")
    seen = refunds.refundable(order.payment_id)
    spend(buyer, "70.50")

    with pytest.raises(InvalidRequest, match=r"spent since you opened this page: \$70\.50 of this refund") as refused:
        ask(finance, order, "100", unspent=str(seen.unspent_usd))
    kept = (refused.value.param, paying.balance(buyer), used(finance), scenes.rows("SELECT 1 FROM payment_refunds"))
    ask(finance, order, "29.50", unspent=str(seen.unspent_usd))

    assert kept == ("amount_usd", Decimal("29.50"), 0, [])
    assert (paying.balance(buyer), used(finance)) == (0, 0)


@pytest.mark.parametrize(("meanwhile", "goes"), [("1", True), ("1.01", False)])
def test_an_account_that_is_in_use_can_be_refunded(buyer: Person, finance: Person, meanwhile: str, goes: bool) -> None:
    order = paying.buy(buyer, "100")
    spend(buyer, "40")
    seen = refunds.refundable(order.payment_id)
    spend(buyer, meanwhile)

    try:
        ask(finance, order, "100", unspent=str(seen.unspent_usd))
    except InvalidRequest:
        assert not goes

    assert used(finance) == (Decimal(40) + Decimal(meanwhile) if goes else 0)


def test_slices_count_together(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer, "900")
    spend(buyer, "900")
    for _ in range(5):
        ask(finance, order, "100")

    with pytest.raises(InvalidRequest, match="0.00 more today"):
        ask(finance, order, "0.01")


def test_a_refund_leaves_less_for_adjustments_and_the_other_way_round(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer, "900")
    spend(buyer, "900")
    ask(finance, order, "300")
    other = factories.make_person(role=Role.FINANCE)

    states = [adjust(finance, buyer, usd).state for usd in ("200.01", "200")]
    adjust(other, factories.make_person(), "450")
    with pytest.raises(InvalidRequest, match=r"\$50\.00 more today"):
        ask(other, order, "400")

    assert states == ["waiting", "posted"]


def test_an_admin_has_the_cap_of_an_admin(buyer: Person) -> None:
    order = paying.buy(buyer, "900")
    spend(buyer, "900")

    ask(factories.make_person(role=Role.ADMIN), order, "900")

    assert paying.balance(buyer) == Decimal(-900)


def test_credit_that_somebody_else_approved_makes_it_refundable(buyer: Person, finance: Person) -> None:
    """The way that the refusal and the screen tell of: two people's word, and nobody's cap."""
    order = paying.buy(buyer, "900")
    spend(buyer, "900")
    waiting = adjust(finance, buyer, "900")
    adjustments.approve(waiting.id, factories.make_person(role=Role.FINANCE).user_id)

    ask(finance, order, "900")

    assert (paying.balance(buyer), used(finance)) == (0, 0)
    assert scenes.problems() == []


def test_what_was_refunded_yesterday_does_not_count_today(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer, "1000")
    spend(buyer, "1000")
    ask(finance, order, "500")
    scenes.execute("UPDATE cap_uses SET created_at = created_at - interval '1 day'")

    ask(finance, order, "500")

    assert paying.balance(buyer) == Decimal(-1000)


def test_a_refund_that_stripe_refused_uses_nothing(buyer: Person, finance: Person) -> None:
    order = paying.buy(buyer, "400")
    spend(buyer, "400")
    asked = ask(finance, order, "400")

    refunds.refused(asked.refund_id, words="no")

    assert (paying.balance(buyer), used(finance)) == (0, 0)


def test_a_bonus_does_not_make_the_cap_larger(buyer: Person, finance: Person) -> None:
    """What is spent is counted in money that goes back."""
    scenes.execute("INSERT INTO bonus_tiers (id, from_nano, bonus_percent, created_at) VALUES (:id, 10000000000, 50, now())", id=new_id())
    order = paying.buy(buyer, "600")
    spend(buyer, "900")

    with pytest.raises(InvalidRequest, match=r"\$600\.00 of it is spent"):
        ask(finance, order, "600")
    ask(finance, order, "500")

    assert (paying.balance(buyer), used(finance)) == (Decimal(-750), Decimal(500))


# At once.


@pytest.mark.parametrize("payments", [1, 2])
def test_refunds_at_once_never_pass_the_cap_together(make_app: Callable[..., Flask], buyer: Person, finance: Person, payments: int) -> None:
    """From two processes with four threads each, of one payment or of two."""
    orders = [paying.buy(buyer, "1000") for _ in range(payments)]
    spend(buyer, str(1000 * payments))
    apps = [make_app(), make_app()]

    def one(index: int) -> bool:
        with apps[index % 2].app_context(), acting_as_operator():
            try:
                ask(finance, orders[index % payments], "200")
            except InvalidRequest:
                return False
            return True

    with ThreadPoolExecutor(max_workers=8) as pool:
        done = sum(pool.map(one, range(8)))

    assert (done, paying.balance(buyer), used(finance)) == (2, Decimal(-400), Decimal(400))


def test_two_payments_refunded_at_once_do_not_share_what_is_left_of_the_balance(make_app: Callable[..., Flask], buyer: Person) -> None:
    """By two people: each would find the same credit unspent."""
    orders = [paying.buy(buyer, "600") for _ in range(2)]
    spend(buyer, "600")
    people = [factories.make_person(role=Role.FINANCE) for _ in range(2)]
    apps = [make_app(), make_app()]

    def one(index: int) -> bool:
        with apps[index].app_context(), acting_as_operator():
            try:
                ask(people[index], orders[index], "600")
            except InvalidRequest:
                return False
            return True

    with ThreadPoolExecutor(max_workers=2) as pool:
        done = sorted(pool.map(one, range(2)))

    assert (done, paying.balance(buyer)) == ([False, True], 0)


# The form again.


def test_a_nonce_of_somebody_else_or_of_an_adjustment_is_a_conflict(buyer: Person, finance: Person) -> None:
    order, nonce, adjusted = paying.buy(buyer, "20"), new_id(), new_id()
    spend(buyer, "20")
    ask(finance, order, "5", nonce=nonce)
    adjust(finance, buyer, "1", adjusted)

    for who, given in ((factories.make_person(role=Role.FINANCE), nonce), (finance, adjusted)):
        with pytest.raises(Conflict, match="nothing was changed"):
            ask(who, order, "5", nonce=given)

    assert paying.balance(buyer) == Decimal(-4)


@pytest.mark.parametrize("comes_first", ["adjustment", "refund"])
def test_a_refund_that_stripe_refused_frees_nothing_that_an_adjustment_used_under_its_nonce(
    buyer: Person, finance: Person, comes_first: str
) -> None:
    """Whoever sends a form chooses its nonce: of an adjustment's, an unspent refund that Stripe refuses freed the cap of the day."""
    order, friend, nonce = paying.buy(buyer, "20"), factories.make_person(), new_id()
    if comes_first == "adjustment":
        adjust(finance, friend, "500", nonce)
        with pytest.raises(Conflict, match="nothing was changed"):
            ask(finance, order, "5", nonce=nonce)
    else:
        asked = ask(finance, order, "5", nonce=nonce)
        adjust(finance, friend, "500", nonce)
        refunds.refused(asked.refund_id, words="no")

    assert used(finance) == Decimal(500)
    assert adjust(finance, friend, "0.01").state == "waiting"
