"""Packs and bonuses: what may be sold, who changed it, and what loses money."""

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.domain import pricing
from reseller.domain.desk import pack_lines
from reseller.domain.payments import pack_changes, packs
from reseller.domain.payments.pack_changes import PackTerms
from reseller.domain.payments.tables import BonusTier, Pack
from reseller.domain.pricing import Fees, RuleTerms
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests.domain import scenes

WHO: dict[str, Any] = {"actor": "user:1", "reason": "spring"}
FEES = Fees(Decimal("2.9"), Decimal("0.30"), Decimal("5.5"), Decimal(20))


def test_packs_are_offered_the_smallest_first_with_their_bonus(app: Flask) -> None:
    for usd, label, is_offered in (("100", "most chosen", True), ("10", "", True), ("25", "hidden", False)):
        pack_changes.add_pack(PackTerms(Decimal(usd), label, is_offered), **WHO)
    pack_changes.add_tier(Decimal(50), Decimal(5), **WHO)
    pack_changes.add_tier(Decimal(100), Decimal("12.5"), **WHO)

    assert packs.offers() == [packs.Offer(Decimal(10), Decimal(0), ""), packs.Offer(Decimal(100), Decimal("12.50"), "most chosen")]
    assert [packs.bonus_for(Decimal(usd)) for usd in ("49.99", "50", "99.99", "200")] == [0, Decimal("2.50"), Decimal("4.99"), 25]


@pytest.mark.parametrize("usd", ["0", "-5", "0.001", "100000.01", "NaN", "Infinity"])
def test_an_amount_that_cannot_be_is_refused(app: Flask, usd: str) -> None:
    for add in (
        lambda: pack_changes.add_pack(PackTerms(Decimal(usd)), **WHO),
        lambda: pack_changes.add_tier(Decimal(usd), Decimal(5), **WHO),
    ):
        with pytest.raises(InvalidRequest):
            add()

    assert scenes.rows("SELECT 1 FROM packs UNION ALL SELECT 1 FROM bonus_tiers") == []


@pytest.mark.parametrize("percent", ["0", "-1", "100.01", "1.001", "NaN"])
def test_a_bonus_that_cannot_be_is_refused(app: Flask, percent: str) -> None:
    with pytest.raises(InvalidRequest, match="more than 0 and at most 100"):
        pack_changes.add_tier(Decimal(20), Decimal(percent), **WHO)


def test_two_packs_of_one_amount_cannot_be(app: Flask) -> None:
    pack_changes.add_pack(PackTerms(Decimal(10)), **WHO)

    with pytest.raises(Conflict, match="already"):
        pack_changes.add_pack(PackTerms(Decimal("10.00")), **WHO)


def test_the_second_of_two_editors_learns_of_the_first(app: Flask) -> None:
    pack_id = pack_changes.add_pack(PackTerms(Decimal(10)), **WHO)
    pack_changes.change_pack(pack_id, PackTerms(Decimal(12), "", True), seen_version=1, **WHO)

    with pytest.raises(Conflict, match="Somebody else"):
        pack_changes.change_pack(pack_id, PackTerms(Decimal(15), "", False), seen_version=1, **WHO)
    with pytest.raises(Conflict, match="Somebody else"):
        pack_changes.remove_pack(pack_id, seen_version=1, **WHO)

    assert [offer.amount_usd for offer in packs.offers()] == [Decimal(12)]


def test_what_staff_change_is_in_the_audit_log_and_wants_a_reason(app: Flask) -> None:
    tier_id = pack_changes.add_tier(Decimal(50), Decimal(5), **WHO)
    pack_changes.change_tier(tier_id, Decimal(50), Decimal(7), seen_version=1, **WHO)
    pack_changes.remove_tier(tier_id, seen_version=2, **WHO)
    with pytest.raises(InvalidRequest, match="Say why"):
        pack_changes.add_pack(PackTerms(Decimal(10)), actor="user:1", reason=" ")
    with pytest.raises(NotFound):
        pack_changes.remove_tier(tier_id, seen_version=2, **WHO)

    rows = scenes.rows("SELECT action, changes, reason FROM staff_actions WHERE action LIKE 'bonus_tier.%' ORDER BY id")
    assert [(row["action"], row["changes"], row["reason"]) for row in rows] == [
        ("bonus_tier.add", {"from_usd": [None, "50"], "bonus_percent": [None, "5"]}, "spring"),
        ("bonus_tier.change", {"bonus_percent": ["5", "7"]}, "spring"),
        ("bonus_tier.remove", {"from_usd": ["50", None], "bonus_percent": ["7", None]}, "spring"),
    ]


def test_the_file_is_loaded_once_and_changes_nothing(app: Flask) -> None:
    runner = app.test_cli_runner()

    first, second = (runner.invoke(args=["packs", "load"]) for _ in range(2))

    assert (first.output.strip(), second.output.strip()) == ("added: 3", "added: 0")
    assert "$25" in runner.invoke(args=["packs", "list"]).output


@pytest.mark.parametrize("text", ["[[pack]]", '[[pack]]\namount_usd = "ten"', "[[bonus]]\nfrom_usd = 1", "not toml"])
def test_a_file_that_is_none_is_refused_in_words(app: Flask, tmp_path: Any, text: str) -> None:
    file = tmp_path / "packs.toml"
    file.write_text(text)

    told = app.test_cli_runner().invoke(args=["packs", "load", str(file)])

    assert told.exit_code != 0
    assert scenes.rows("SELECT 1 FROM packs UNION ALL SELECT 1 FROM bonus_tiers") == []


def lines() -> list[pack_lines.PackLine]:
    return pack_lines.pack_lines(list(scenes.all_of(Pack)), FEES)


def test_a_rule_below_what_a_pack_costs_to_sell_is_named(app: Flask) -> None:
    """$10: $9.41 arrive, and a dollar of cost takes $1.055: break-even at 1.055 * 10 / 9.41 - 1 = 12.1 %."""
    pricing.add_rule(RuleTerms("openai/*", Decimal(10)), "user:1", reason="")
    pricing.add_rule(RuleTerms("*", Decimal(25)), "user:1", reason="")
    for usd in ("10", "1000"):
        pack_changes.add_pack(PackTerms(Decimal(usd)), **WHO)

    small, large = sorted(lines(), key=lambda line: line.amount_usd)

    assert small.arriving_usd == Decimal("9.41")
    assert small.break_even_percent is not None
    assert round(small.break_even_percent, 1) == Decimal("12.1")
    assert (small.losing, large.losing) == (("openai/*",), ())


def test_a_bonus_makes_a_pack_dearer_to_sell(app: Flask) -> None:
    pricing.add_rule(RuleTerms("*", Decimal(25)), "user:1", reason="")
    pack_changes.add_pack(PackTerms(Decimal(100)), **WHO)
    before = lines()[0]
    pack_changes.add_tier(Decimal(100), Decimal(20), **WHO)

    (after,) = lines()
    (tier,) = pack_lines.tier_lines(list(scenes.all_of(BonusTier)), FEES)

    assert (before.losing, after.losing, tier.losing) == ((), ("*",), ("*",))
    assert after.break_even_percent == tier.break_even_percent


def test_of_a_pack_smaller_than_its_fee_nothing_arrives(app: Flask) -> None:
    pack_changes.add_pack(PackTerms(Decimal("0.25")), **WHO)
    pricing.add_rule(RuleTerms("*", Decimal(900)), "user:1", reason="")

    assert (lines()[0].break_even_percent, lines()[0].losing) == (None, ("*",))
