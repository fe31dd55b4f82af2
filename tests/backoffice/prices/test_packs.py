"""Packs and bonuses in forms: what customers see afterwards, two editors, roles, and a warning where a rule loses money (R24, R37)."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain import pricing
from reseller.domain.accounts import Role
from reseller.domain.payments import pack_changes, packs
from reseller.domain.payments.pack_changes import PackTerms
from reseller.domain.pricing import RuleTerms
from tests.backoffice.operations.desk import audited, exported, page
from tests.staff import client_of

FORM = {"amount_usd": "25", "label": "most chosen", "is_offered": "y", "reason": "spring"}
BONUS = {"from_usd": "50", "bonus_percent": "5", "reason": "spring"}


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.ADMIN)


@pytest.fixture
def pack(app: Flask) -> UUID:
    return pack_changes.add_pack(PackTerms(Decimal(10), "first"), actor="test", reason="to sell")


def edit(client: FlaskClient, pack: UUID, **changes: Any) -> Any:
    return client.post(f"/admin/packs/edit/?id={pack}", data=FORM | {"version": "1"} | changes)


def offered() -> list[tuple[Decimal, str]]:
    return [(offer.amount_usd, offer.label) for offer in packs.offers()]


def test_a_pack_made_in_the_form_is_offered(client: FlaskClient) -> None:
    answer = client.post("/admin/packs/new/", data=FORM)

    assert answer.status_code == 302
    assert offered() == [(Decimal(25), "most chosen")]
    assert "most chosen" in page(client, "/admin/packs/")
    (row,) = audited("pack.add")
    assert (row["reason"], row["actor"].startswith("user:")) == ("spring", True)


def test_a_pack_is_changed_hidden_and_deleted(client: FlaskClient, pack: UUID) -> None:
    edit(client, pack, amount_usd="12.50")
    changed = offered()
    client.post(f"/admin/packs/edit/?id={pack}", data={"amount_usd": "12.50", "label": "", "version": "2", "reason": "not now"})
    hidden = offered()
    gone = client.post("/admin/packs/delete/", data={"id": pack, "version": "3", "reason": "never"})

    assert (changed, hidden, gone.status_code) == ([(Decimal("12.5"), "most chosen")], [], 302)
    assert "No pack yet" in page(client, "/admin/packs/")
    assert len(audited("pack.remove")) == 1


def test_the_form_shows_what_there_is(client: FlaskClient, pack: UUID) -> None:
    text = page(client, f"/admin/packs/edit/?id={pack}")

    assert 'value="10"' in text
    assert 'value="first"' in text


def test_the_second_of_two_editors_sees_what_they_typed_and_a_warning(client: FlaskClient, pack: UUID) -> None:
    edit(client, pack, amount_usd="30")

    late = edit(client, pack, amount_usd="40", label="Mine")

    assert late.status_code == 409
    assert 'value="Mine"' in late.text
    assert offered() == [(Decimal(30), "most chosen")]


@pytest.mark.parametrize("amount", ["0", "-5", "0.001", "1e3", "NaN", "100000.01", "1_000", "ten", "٣"])
def test_an_amount_that_is_none_is_told_at_its_field(client: FlaskClient, amount: str) -> None:
    answer = client.post("/admin/packs/new/", data=FORM | {"amount_usd": amount})

    assert answer.status_code == 400
    assert 'id="amount_usd-errors"' in answer.text
    assert offered() == []


def test_an_amount_that_is_taken_is_told_at_its_field(client: FlaskClient, pack: UUID) -> None:
    answer = client.post("/admin/packs/new/", data=FORM | {"amount_usd": "10.00"})

    assert answer.status_code == 409
    assert "one of this amount already" in answer.text


def test_a_bonus_made_in_the_form_comes_on_top(client: FlaskClient) -> None:
    assert client.post("/admin/bonuses/new/", data=BONUS).status_code == 302

    assert packs.bonus_for(Decimal(100)) == 5
    assert "5%" in page(client, "/admin/bonuses/")
    (row,) = audited("bonus_tier.add")
    assert row["changes"] == {"from_usd": [None, "50"], "bonus_percent": [None, "5"]}


@pytest.mark.parametrize("percent", ["0", "101", "-1", "x", "1.234"])
def test_a_bonus_that_is_none_is_told_at_its_field(client: FlaskClient, percent: str) -> None:
    answer = client.post("/admin/bonuses/new/", data=BONUS | {"bonus_percent": percent})

    assert answer.status_code == 400
    assert 'id="bonus_percent-errors"' in answer.text


def test_a_rule_that_loses_money_on_a_pack_is_pointed_at(client: FlaskClient, pack: UUID) -> None:
    pricing.add_rule(RuleTerms("openai/*", Decimal(10)), "user:1", reason="")
    before = page(client, "/admin/packs/")
    edit(client, pack, amount_usd="1000")

    assert "loses money on openai/*" in before
    assert "12.1%" in before
    assert "all rules earn it" in page(client, "/admin/packs/")


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
@pytest.mark.parametrize("where", ["packs", "bonuses"])
def test_only_admins_change_what_is_sold(app: Flask, pack: UUID, role: Role, where: str) -> None:
    client = client_of(app, role)

    assert client.get(f"/admin/{where}/").status_code == 200
    assert client.get(f"/admin/{where}/new/").status_code == 403
    assert client.post(f"/admin/{where}/new/", data=FORM | BONUS).status_code == 403
    assert client.post(f"/admin/{where}/delete/", data={"id": pack, "version": "1", "reason": "x"}).status_code == 403
    assert offered() == [(Decimal(10), "first")]


def test_what_is_sold_wants_the_second_factor_again(app: Flask, pack: UUID) -> None:
    """R24: as prices do."""
    client = client_of(app, Role.ADMIN, has_second_factor=False)

    answer = client.post("/admin/packs/new/", data=FORM)

    assert answer.status_code in (302, 403)
    assert offered() == [(Decimal(10), "first")]


def test_a_label_is_no_formula_in_a_spreadsheet(client: FlaskClient) -> None:
    pack_changes.add_pack(PackTerms(Decimal(10), "=1+1"), actor="test", reason="to sell")

    (row,) = exported(client, "packs")
    assert row["Label"].startswith("'=")
