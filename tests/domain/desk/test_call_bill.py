"""A bill adds up: whatever was used, billed, marked up, limited or borne, the lines come to the charge, exactly (R7, R16)."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reseller.clock import instant_of, new_id
from reseller.domain import pricing
from reseller.domain.desk.call_bill import bill_of
from reseller.domain.pricing import Rates
from reseller.domain.usage import CallStatus, CostSource, UsageLog
from reseller.money import ZERO_USD, to_nano, to_usd

prices = st.decimals(0, Decimal("0.001"), places=12)
counts = st.integers(0, 100_000)


def call(**facts: Any) -> UsageLog:
    """A settled call's row, in memory."""
    call_id = new_id()
    defaults: dict[str, Any] = {
        "id": call_id,
        "created_at": instant_of(call_id),
        "status": CallStatus.COMPLETED,
        "cost_source": CostSource.INLINE,
        "is_test": False,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cached_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "usage_details": None,
        "request_metadata": {},
        "overage_loss_usd": ZERO_USD,
        "min_cost_usd": ZERO_USD,
        "markup_percent": Decimal(25),
    }
    return UsageLog(**(defaults | facts))


@given(
    prompt=counts,
    completion=counts,
    share=st.integers(0, 100),
    rates=st.builds(Rates, prompt=prices, completion=prices, request=prices, input_cache_read=st.none() | prices, discount=st.none()),
    cost=st.none() | st.decimals(0, 10, places=14),
    markup=st.decimals(0, 300, places=4),
    minimum=st.decimals(0, 1, places=9),
    short=st.integers(0, 10**9),
    is_test=st.booleans(),
)
def test_the_lines_of_any_call_add_up_to_its_charge(  # noqa: PLR0913 - what a charge follows from
    *,
    prompt: int,
    completion: int,
    share: int,
    rates: Rates,
    cost: Decimal | None,
    markup: Decimal,
    minimum: Decimal,
    short: int,
    is_test: bool,
) -> None:
    row = call(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=prompt * share // 100,
        cost_usd=cost,
        markup_percent=markup,
        min_cost_usd=minimum,
        is_test=is_test,
        charge_usd=ZERO_USD,
    )
    due = bill_of(row, rates)
    assert due is not None
    full = sum((line.amount_usd for line in due.lines if line.kind not in ("limited", "test")), ZERO_USD)
    row.charge_usd = ZERO_USD if is_test else to_usd(max(to_nano(full) - short, 0))

    bill = bill_of(row, rates)

    assert bill is not None
    assert sum((line.amount_usd for line in bill.lines), ZERO_USD) == row.charge_usd == bill.charge_usd
    assert not bill.lines or bill.lines[-1].sum_usd == row.charge_usd
    assert all(line.quantity is None or line.quantity * line.rate_usd == line.amount_usd for line in bill.lines)
    assert bill.kept_usd == row.charge_usd - bill.cost_usd
    customers = pricing.customer_lines(row, rates)
    assert sum((Decimal(line["amount"]) for line in customers), ZERO_USD) == row.charge_usd  # what /v1/generation tells


def test_every_step_has_its_line() -> None:
    """1,000 in at $1, 100 out at $2 a million: 0.0012; billed 0.0013; 25 % on top; up to a minimum of 0.002."""
    rates = Rates(prompt=Decimal("0.000001"), completion=Decimal("0.000002"))
    row = call(
        prompt_tokens=1000,
        completion_tokens=100,
        cost_usd=Decimal("0.0013"),
        min_cost_usd=Decimal("0.002"),
        charge_usd=Decimal("0.002"),
    )

    bill = bill_of(row, rates)

    assert bill is not None
    assert [(line.kind, line.amount_usd) for line in bill.lines] == [
        ("prompt", Decimal("0.001")),
        ("completion", Decimal("0.0002")),
        ("difference", Decimal("0.0001")),
        ("markup", Decimal("0.000325")),
        ("minimum", Decimal("0.000375")),
    ]
    assert (bill.at_list_prices_usd, bill.cost_usd) == (Decimal("0.0012"), Decimal("0.0013"))
    assert (bill.kept_usd, bill.kept_percent) == (Decimal("0.0007"), Decimal(35))


def test_what_was_above_hold_and_balance_is_borne_by_us() -> None:
    """R6."""
    row = call(cost_usd=Decimal("0.8"), charge_usd=Decimal("0.4"), overage_loss_usd=Decimal("0.6"), prompt_tokens=800_000)

    bill = bill_of(row, Rates(prompt=Decimal("0.000001")))

    assert bill is not None
    assert (bill.lines[-1].kind, bill.lines[-1].amount_usd) == ("borne", Decimal("-0.6"))
    assert bill.kept_usd == Decimal("-0.4")


def test_a_model_without_a_price_of_that_time_still_adds_up() -> None:
    row = call(cost_usd=Decimal("0.1"), charge_usd=Decimal("0.125"), prompt_tokens=5)

    bill = bill_of(row, None)

    assert bill is not None
    assert [line.kind for line in bill.lines] == ["billed", "markup"]
    assert bill.at_list_prices_usd is None


def test_a_call_with_nothing_to_pay_for_has_no_bill() -> None:
    assert bill_of(call(cost_source=CostSource.NONE, cost_usd=None, charge_usd=ZERO_USD), Rates()) is None
