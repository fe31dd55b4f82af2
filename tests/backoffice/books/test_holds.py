"""Open holds, calls to look at, and the proof, as staff see them."""

import csv
import io

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.clock import new_id
from reseller.domain import accounts, jobs
from reseller.domain.accounts import Role
from reseller.domain.calls import Till, processes
from reseller.domain.desk.call_story import FLAGS
from reseller.domain.usage import request_id
from reseller.wiring import wiring_of
from tests.domain import scenes
from tests.staff import client_of

FORMULA = "=1+1"


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return client_of(app, Role.FINANCE)


def page(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def exported(client: FlaskClient, view: str, filters: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page(client, f"/admin/{view}/export/csv/?{filters}"))))


def hold(till: Till, who: scenes.Customer, *, hold: int = 100, **facts: object) -> str:
    op = scenes.admission(who, hold=hold, **facts)
    till.admit(op)
    return request_id(op.call_id)


def odd_call(till: Till, who: scenes.Customer, *, charge: int = 60, model: str = "acme/one", **outcome: object) -> str:
    op = scenes.admission(who, model=model)
    till.admit(op)
    till.settle(scenes.settlement(op, charge, **outcome))
    return request_id(op.call_id)


def test_a_hold_says_whose_it_is_how_much_and_whether_its_process_lives(client: FlaskClient, till: Till) -> None:
    who, alive = scenes.customer(), new_id()
    processes.beat(alive, "web")
    living = hold(till, who, process_id=alive, model="acme/alive")
    hold(till, who, model="acme/silent")

    text = page(client, "/admin/holds/")

    assert living in text
    assert text.index("acme/alive") < text.index("answer under way") < text.index("acme/silent") < text.index("process silent")
    assert "a customer" in text


def test_a_hold_that_waits_for_its_cost_says_so(client: FlaskClient, till: Till) -> None:
    hold(till, scenes.customer())
    scenes.execute("UPDATE holds SET chase_at = now(), chase_attempts = 3")

    (row,) = exported(client, "holds")

    assert (row["State"], row["Asked"]) == ("cost", "3")


def test_a_hold_that_a_worker_took_over_is_not_under_way(client: FlaskClient, till: Till) -> None:
    worker = new_id()
    processes.beat(worker, "worker")
    hold(till, scenes.customer(), process_id=worker)

    assert exported(client, "holds")[0]["State"] == "recovery"


def test_holds_are_filtered_by_account_and_model(client: FlaskClient, till: Till) -> None:
    ann, bob = scenes.customer(), scenes.customer()
    hold(till, ann, model="acme/one")
    hold(till, bob, model="acme/two")

    assert [row["Model"] for row in exported(client, "holds", f"account={bob.account_id}")] == ["acme/two"]
    assert [row["Model"] for row in exported(client, "holds", "model=*/one")] == ["acme/one"]


def test_only_calls_that_cost_us_or_are_marked_are_looked_at(client: FlaskClient, till: Till) -> None:
    """R6: the loss is named, call by call and in sum."""
    who = scenes.customer(nano=1_000)
    odd_call(till, who)
    marked = odd_call(till, who, flag="estimate")
    above = odd_call(till, who, charge=1_000_000_000)

    text = page(client, "/admin/overage/")

    assert {row["Call"] for row in exported(client, "overage")} == {marked, above}
    assert [row["Call"] for row in exported(client, "overage", "flag=overage")] == [above]
    assert FLAGS["estimate"] in text
    assert "1 calls cost more" in text
    assert "suspense" in text


def test_texts_of_calls_are_no_formulas(client: FlaskClient, till: Till) -> None:
    who = scenes.customer()
    odd_call(till, who, model=FORMULA, flag=FORMULA)
    hold(till, who, model=FORMULA, upstream=FORMULA)
    scenes.execute("UPDATE accounts SET name = :name WHERE id = :id", name=FORMULA, id=who.account_id)

    (odd,), (held,) = exported(client, "overage"), exported(client, "holds")

    assert {odd["Account"], odd["Model"], odd["Why it is here"], held["Account"], held["Model"], held["Upstream"]} == {f"'{FORMULA}"}


@pytest.mark.parametrize("address", ["details/?id=zzz", "?after=zzz", "export/json/"])
def test_what_is_not_there_is_not_found(client: FlaskClient, address: str) -> None:
    for view in ("holds", "overage"):
        assert client.get(f"/admin/{view}/{address}").status_code in (403, 404)


def test_the_proof_says_what_the_last_one_said_and_whom_it_stopped(client: FlaskClient) -> None:
    worker, who = new_id(), scenes.customer()
    jobs.lease("verify ledger", 0, worker)
    jobs.finish("verify ledger", worker, error="RuntimeError: 1 mismatches, first: balances")
    accounts.halt(who.account_id, reason="balances: held is 1, open holds make 0")

    text = page(client, "/admin/proof/")

    assert "1 mismatches, first: balances" in text
    assert "held is 1, open holds make 0" in text


def test_before_any_worker_ran_the_proof_says_so_and_offers_none(client: FlaskClient) -> None:
    text = page(client, "/admin/proof/")

    assert "no worker has run" in text
    assert "Run now" not in text
    assert client.post("/admin/proof/run/", data={"reason": "now"}).status_code == 404


def test_a_proof_that_finance_asks_for_is_traced_and_support_asks_for_none(app: Flask, client: FlaskClient) -> None:
    """R24, R37."""
    worker = new_id()
    jobs.lease("verify ledger", 0, worker)
    jobs.finish("verify ledger", worker, result="3 accounts, 7 entries: all agree")

    refused = client_of(app, Role.SUPPORT).post("/admin/proof/run/", data={"reason": "now"})
    asked = client.post("/admin/proof/run/", data={"reason": "before the audit"})
    again = client.post("/admin/proof/run/", data={"reason": "once more"})

    assert (refused.status_code, asked.status_code, again.status_code) == (403, 302, 409)
    assert scenes.rows("SELECT subject_id, reason, address FROM staff_actions WHERE action = 'job.request'") == [
        {"subject_id": "verify ledger", "reason": "before the audit", "address": "127.0.0.1"}
    ]
    assert "waits for a worker" in page(client, "/admin/proof/")
