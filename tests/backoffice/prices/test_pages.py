"""Pages of prices without a browser: who may, with which second factor, and what the second of two people is told (R24)."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from reseller.database import transaction
from reseller.domain import pricing
from reseller.domain.accounts import Role
from tests import factories
from tests.domain import scenes
from tests.domain.pricing.samples import make_entry
from tests.staff import client_of

REASON = {"reason": "a new agreement"}


@pytest.fixture
def sold(app: Flask) -> pricing.Rule:
    """Two models for sale under one rule."""
    factories.make_upstream()
    pricing.sync("openrouter", [make_entry("acme/one"), make_entry("acme/two")], actor="test")
    return factories.make_rule()


def draft(**changes: Any) -> dict[str, Any]:
    """A tested draft as the form sends it."""
    return {"pattern": "acme/*", "markup": "40", "version": pricing.current_version(), **REASON, **changes}


def active_rules() -> list[tuple[str, str]]:
    rows = scenes.rows("SELECT model_pattern, markup_percent::text AS markup FROM pricing_rules WHERE is_active ORDER BY id")
    return [(row["model_pattern"], row["markup"]) for row in rows]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE])
def test_only_admins_publish_and_retire(app: Flask, sold: pricing.Rule, role: Role) -> None:
    client = client_of(app, role)

    answers = [
        client.post("/admin/prices/publish/", data=draft()),
        client.post("/admin/prices/retire/", data={"rule_id": sold.id, **REASON}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert active_rules() == [("*", "25")]
    assert client.get("/admin/prices/test/?model=acme/one&pattern=acme/*&markup=40").status_code == 200


def test_publishing_asks_for_the_second_factor_again(app: Flask, sold: pricing.Rule) -> None:
    client = client_of(app)
    with transaction() as session:
        session.execute(text("UPDATE sessions SET confirmed_at = now() - interval '1 hour'"))

    answer = client.post("/admin/prices/publish/", data=draft())

    assert (answer.status_code, "/confirm" in answer.headers["Location"]) == (302, True)
    assert active_rules() == [("*", "25")]
    preview = client.get("/admin/prices/test/?pattern=acme/*&markup=40").text
    assert "first confirm that it is you" in preview  # before anything is typed that could be lost


def test_a_published_rule_names_who_and_why(app: Flask, sold: pricing.Rule) -> None:
    """R37."""
    person = factories.make_person(role=Role.ADMIN)

    answer = client_of(app, person=person).post("/admin/prices/publish/", data=draft())

    assert answer.status_code == 302
    [row] = scenes.rows("SELECT actor, reason, changes FROM staff_actions WHERE action = 'pricing_rule.add' AND reason = :reason", **REASON)
    assert row["actor"] == f"user:{person.user_id}"
    assert row["changes"]["markup_percent"] == [None, "40"]
    assert active_rules() == [("*", "25"), ("acme/*", "40")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"reason": " "}, 400),
        ({"markup": "1e2"}, 400),
        ({"markup": "-5"}, 400),
        ({"min_cost": "0.0000000001"}, 400),
        ({"priority": "1.5"}, 400),
        ({"scope": "nobody@example.com"}, 400),
        ({"version": ""}, 409),
        ({"version": "0"}, 409),
        ({"replaces": "not a rule"}, 404),
    ],
)
def test_nothing_is_published_that_was_not_said_well(app: Flask, sold: pricing.Rule, changes: dict[str, str], status: int) -> None:
    answer = client_of(app).post("/admin/prices/publish/", data=draft(**changes))

    assert answer.status_code == status
    assert active_rules() == [("*", "25")]


def test_of_two_who_replace_a_rule_the_second_learns_of_the_first(app: Flask, sold: pricing.Rule) -> None:
    first, second, form = client_of(app), client_of(app), draft(replaces=str(sold.id), pattern="*")

    answers = [first.post("/admin/prices/publish/", data=form), second.post("/admin/prices/publish/", data={**form, "markup": "60"})]

    assert [answer.status_code for answer in answers] == [302, 409]
    assert "Prices have changed since you looked" in answers[1].text
    assert active_rules() == [("*", "40")]


def test_of_two_who_retire_a_rule_the_second_learns_of_the_first(app: Flask, sold: pricing.Rule) -> None:
    form = {"rule_id": sold.id, **REASON}

    answers = [client_of(app).post("/admin/prices/retire/", data=form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 409]


@pytest.fixture
def waiting(sold: pricing.Rule) -> dict[str, Any]:
    """The form that decides about a price that wants to be ten times the old one."""
    pricing.sync("openrouter", [make_entry("acme/one", prompt="0.00001"), make_entry("acme/two")], actor="test")
    [row] = scenes.rows("SELECT id FROM model_prices WHERE state = 'quarantined'")
    return {"slug": "acme/one", "price_id": row["id"], **REASON}


def state(price_id: Any) -> str:
    return str(scenes.rows("SELECT state FROM model_prices WHERE id = :id", id=price_id)[0]["state"])


@pytest.mark.parametrize(("role", "status"), [(Role.SUPPORT, 403), (Role.FINANCE, 302), (Role.ADMIN, 302)])
def test_finance_and_admins_decide_about_a_price_that_waits(app: Flask, waiting: dict[str, Any], role: Role, status: int) -> None:
    answer = client_of(app, role).post("/admin/catalogue/accept/", data=waiting)

    assert answer.status_code == status
    assert state(waiting["price_id"]) == ("in_force" if status == 302 else "quarantined")


def test_of_two_who_decide_the_second_learns_of_the_first(app: Flask, waiting: dict[str, Any]) -> None:
    answers = [client_of(app).post(f"/admin/catalogue/{verb}/", data=waiting) for verb in ("reject", "accept")]

    assert [answer.status_code for answer in answers] == [302, 409]
    assert state(waiting["price_id"]) == "rejected"


def test_a_decision_about_a_price_that_another_has_taken_the_place_of_is_refused(app: Flask, waiting: dict[str, Any]) -> None:
    """Somebody looked at ten times; meanwhile the upstream lists a hundred times."""
    pricing.sync("openrouter", [make_entry("acme/one", prompt="0.0001"), make_entry("acme/two")], actor="test")

    answer = client_of(app).post("/admin/catalogue/accept/", data=waiting)

    assert answer.status_code == 409
    assert "Another price of acme/one waits by now" in answer.text


def test_of_two_who_withdraw_the_second_learns_of_the_first(app: Flask, sold: pricing.Rule) -> None:
    form = {"slug": "acme/one", "status": "active", **REASON}

    answers = [client_of(app, Role.FINANCE).post("/admin/catalogue/withdraw/", data=form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 409]
    restored = client_of(app, Role.FINANCE).post("/admin/catalogue/restore/", data={**form, "status": "withdrawn"})
    assert restored.status_code == 302
    assert scenes.rows("SELECT status FROM models WHERE slug = 'acme/one'")[0]["status"] == "active"


def test_the_tester_says_who_wins_and_why_the_others_do_not(app: Flask, sold: pricing.Rule) -> None:
    factories.make_rule(pattern="acme/*", markup_percent="5", priority=3)

    page = client_of(app, Role.SUPPORT).get("/admin/prices/test/?model=acme/one").text

    assert "lower priority (0 &lt; 3)" in page
    assert "below the break-even of 10.36%" in page
    assert "$1.05" in page  # $1 a million and 5 %


def test_the_list_says_how_many_models_each_rule_prices(app: Flask, sold: pricing.Rule) -> None:
    factories.make_rule(pattern="acme/two")
    client = client_of(app)

    page, models = client.get("/admin/prices/").text, client.get(f"/admin/catalogue/?rule={sold.id}").text

    assert page.count(">1</span> model<") == 2
    assert ("acme/one" in models, "/admin/catalogue/model/acme/two/" in models) == (True, False)
