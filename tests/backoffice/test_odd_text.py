"""Reasons and notes of staff that are endless, or hold what no text may: refused on a page, and nothing has changed (R37)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain import notes
from reseller.domain.accounts import Role
from reseller.domain.desk import set_up
from reseller.domain.desk.proof import VERIFY
from reseller.domain.ledger import AdjustmentDraft, adjustments
from reseller.domain.limits import presets
from reseller.domain.payments import pack_changes
from reseller.domain.payments.pack_changes import PackTerms
from tests import factories
from tests.backoffice.operations.desk import job_ran
from tests.domain import scenes
from tests.staff import client_of

Form = tuple[str, dict[str, str]]
TABLES = ("staff_actions", "accounts", "account_notes", "users", "sessions", "adjustments", "ledger_entries", "viewings", "api_keys")
TABLES += ("job_runs", "limit_presets", "upstreams", "packs", "bonus_tiers", "confirmations", "second_factors", "letters", "rate_limits")
LONG, NUL = "x" * 501, "why\x00not"


def about_bob(what: str) -> Callable[[], Form]:
    def form() -> Form:
        bob = factories.make_person(role=Role.SUPPORT)
        scenes.execute("INSERT INTO second_factors VALUES (:id, 'sealed-by-test', now(), 0, now())", id=bob.user_id)
        return f"/admin/people/{what}/", {"id": str(bob.user_id), "version": "1", "role": "finance"}

    return form


def about_a_customer(what: str) -> Callable[[], Form]:
    def form() -> Form:
        customer = factories.make_person(usd="10")
        _, key = factories.mint_key(customer)
        if what == "restore":
            scenes.execute("UPDATE accounts SET status = 'suspended'")
        if what == "resume":
            scenes.execute("UPDATE accounts SET halted_at = now(), halted_reason = 'x'")
        path = f"keys/{key.id}/revoke" if what == "revoke" else what
        fields = {"person": str(customer.user_id), "nonce": str(new_id()), "direction": "credit", "amount": "1"}
        return f"/admin/customers/{customer.account_id}/{path}/", fields | {"version": "1", "rpm": "5", "span": "1"}

    return form


def about_an_adjustment(what: str) -> Callable[[], Form]:
    def form() -> Form:
        customer, asker = factories.make_person(usd="10"), factories.make_person(role=Role.SUPPORT)
        with transaction():
            draft = AdjustmentDraft(new_id(), customer.account_id, Decimal(5), "an outage")
            adjustments.request(draft, asker.user_id, {})
        return f"/admin/adjustments/{draft.id}/{what}/", {}

    return form


def a_job() -> Form:
    job_ran("roll-up")
    return "/admin/jobs/run/", {"name": "roll-up"}


def a_proof() -> Form:
    job_ran(VERIFY)
    return "/admin/proof/run/", {}


def a_switch() -> Form:
    factories.make_upstream()
    return "/admin/upstreams/switch/", {"name": "openrouter", "to": "off", "version": "1"}


def a_preset_less() -> Form:
    preset = presets.add_preset("small", {}, actor="test", reason="x")
    return "/admin/presets/delete/", {"id": str(preset), "version": "1"}


def a_preset_more() -> Form:
    return "/admin/presets/new/", {"name": "small", "requests_per_minute": "5"}


def a_pack_less() -> Form:
    pack = pack_changes.add_pack(PackTerms(amount_usd=Decimal(10)), actor="test", reason="x")
    return "/admin/packs/delete/", {"id": str(pack), "version": "1"}


def a_bonus_less() -> Form:
    tier = pack_changes.add_tier(Decimal(50), Decimal(5), actor="test", reason="x")
    return "/admin/bonuses/delete/", {"id": str(tier), "version": "1"}


def a_confirmation() -> Form:
    return "/admin/set-up/confirm/", {"name": set_up.BACKUP}


def a_confirmation_less() -> Form:
    set_up.confirm(set_up.BACKUP, user_id=factories.make_person(role=Role.ADMIN).user_id, note="agreed")
    return "/admin/set-up/withdraw/", {"name": set_up.BACKUP}


FORMS: dict[str, Callable[[], Form]] = {
    **{what: about_bob(what) for what in ("role", "end-sessions", "reset-second-factor")},
    **{what: about_a_customer(what) for what in ("suspend", "restore", "resume", "revoke", "view-as", "reset-link", "credit", "limits")},
    **{what: about_an_adjustment(what) for what in ("approve", "reject")},
    **{
        form.__name__: form
        for form in (a_job, a_proof, a_switch, a_preset_less, a_preset_more, a_pack_less, a_bonus_less, a_confirmation, a_confirmation_less)
    },
}


def everything() -> dict[str, list[Any]]:
    """Every row that a form could have changed, but for when somebody was last seen."""
    found = {table: scenes.rows(f"SELECT * FROM {table}") for table in TABLES}
    for row in found["sessions"]:
        row.pop("seen_at")
    return {table: sorted(rows, key=str) for table, rows in found.items()}


@pytest.mark.parametrize("name", FORMS)
def test_a_reason_that_is_endless_or_no_text_is_refused_and_nothing_changes(app: Flask, name: str) -> None:
    """The audit log is read by people. The same form with a good reason does what it should, so nothing else was wrong with it."""
    client = client_of(app, Role.ADMIN)
    path, form = FORMS[name]()
    before = everything()

    refused = [client.post(path, data=form | {"reason": reason}) for reason in (LONG, NUL)]
    between = everything()
    done = client.post(path, data=form | {"reason": LONG[:500]})

    assert [answer.status_code for answer in refused] == [400, 400]
    assert all("<h1" in answer.text for answer in refused)
    assert between == before
    assert done.status_code == 302
    assert everything() != before


@pytest.mark.parametrize("body", ["", " \t\r\n ", "x" * (notes.MAX_CHARACTERS + 1), NUL, "é" * (notes.MAX_CHARACTERS + 1)])
def test_a_note_that_is_endless_or_no_text_is_refused_on_a_page(app: Flask, body: str) -> None:
    client, customer = client_of(app, Role.SUPPORT), factories.make_person()
    path, form = f"/admin/customers/{customer.account_id}/note/", {"nonce": str(new_id())}
    before = everything()

    refused = client.post(path, data=form | {"body": body})
    unchanged = everything() == before
    done = client.post(path, data=form | {"body": "é" * notes.MAX_CHARACTERS})

    assert refused.status_code == 400
    assert "<h1" in refused.text
    assert unchanged
    assert done.status_code == 302
    assert len(client.get(f"/admin/customers/{customer.account_id}/").text) > notes.MAX_CHARACTERS
