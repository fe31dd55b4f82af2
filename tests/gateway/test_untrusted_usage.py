"""What the upstream says about tokens and money is a stranger's claim (R8): sound, or missing."""

from decimal import Decimal

import pytest

from tests.servers import WorkerProcess
from tests.shop import Customer, Shop, charge_for
from tests.waiting import wait_until

UNSOUND = [
    "negative-cost", "text-cost", "bool-cost", "nan-cost", "infinite-cost",
    "negative-usage", "huge-usage", "bool-usage", "float-usage", "text-usage",
]  # fmt: skip


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scenario", UNSOUND)
def test_unsound_usage_counts_as_missing_and_is_flagged(customer: Customer, clock: WorkerProcess, scenario: str, is_stream: bool) -> None:
    answer = customer.chat(f"fake/{scenario}", stream=is_stream)

    row = customer.row
    assert answer.status == 200
    assert (row["cost_source"], row["flag"]) == ("generation", "usage_invalid")
    assert row["charge_nano"] == charge_for(customer.bill) > 0
    assert b'"usage":{' not in answer.body


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_bill_beyond_the_balance_takes_what_is_there_and_the_rest_is_the_operators_loss(shop: Shop, is_stream: bool) -> None:
    """R6: never below zero."""
    customer = shop.customer(usd="1")
    shop.fake.script("/chat/completions", {"usage": {"cost": "\0" + "3.5"}})

    answer = customer.chat(stream=is_stream)

    row = customer.row
    assert answer.status == 200
    assert (row["charge_nano"], row["overage_loss_nano"], row["flag"]) == (10**9, charge_for("3.5") - 10**9, "overage")
    assert (customer.books.settled_nano, customer.books.held_nano) == (0, 0)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_cost_of_zero_is_a_cost_and_worth_a_look(customer: Customer, is_stream: bool) -> None:
    """R8: zero is a value."""
    customer.chat("fake/zero-cost", stream=is_stream)

    assert (customer.row["charge_nano"], customer.row["cost_source"], customer.row["flag"]) == (0, "inline", "zero_cost")


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_cost_below_a_nano_dollar_is_kept_exactly_and_charged_as_one(customer: Customer, is_stream: bool) -> None:
    customer.chat("fake/sub-nano", stream=is_stream)

    assert customer.row["cost_usd"] == Decimal("0.00000000012345678901234567")
    assert customer.row["charge_nano"] == 1


def test_the_last_valid_usage_of_a_stream_wins_whole(customer: Customer) -> None:
    """R8."""
    answer = customer.chat("fake/usage-twice", stream=True, stream_options={"include_usage": True})

    row = customer.row
    shown = [frame["usage"] for frame in answer.frames if isinstance(frame, dict) and frame.get("usage")]
    assert row["charge_nano"] == charge_for(customer.bill) > 0
    assert [usage["completion_tokens"] for usage in shown] == [row["completion_tokens"]] == [16]


def test_an_embeddings_answer_has_no_completion_tokens(customer: Customer) -> None:
    """R8: an absent completion count is 0 there."""
    customer.call("/v1/embeddings", {"model": "openai/text-embedding-3-small", "input": "hello"})

    assert (customer.row["completion_tokens"], customer.row["cost_source"]) == (0, "inline")


def test_an_absurd_generation_id_harms_nobody(customer: Customer, clock: WorkerProcess) -> None:
    customer.shop.fake.script("/chat/completions", {"usage_raw": None, "served_model": "a\0b" * 200})

    answer = customer.chat()

    assert answer.status == 200
    wait_until(lambda: not customer.holds)
    assert customer.row["status"] == "completed"
