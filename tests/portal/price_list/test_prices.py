"""The public price list: the same prices as the API tells, for strangers everybody's and for customers their own."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller.domain.accounts import Person
from reseller.domain.usage import rollup
from reseller.wiring import wiring_of
from tests import factories
from tests.domain import scenes
from tests.portal.visitor import Visitor
from tests.staff import client_of

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture
def stock(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three models for sale."""
    factories.make_rule(markup_percent="25")
    factories.make_model(slug="acme/one", name="Acme: One", description="The first.", prices={"input_cache_read": "0.0000001"})
    factories.make_model(slug="acme/two", name="Acme: Two", prices={"prompt": "0.00001"}, context_length=1_000_000)
    factories.make_model(slug="evil/model", name=EVIL, description=EVIL)


def cells(page: str, slug: str) -> list[str]:
    """The texts of a model's row."""
    row = re.search(rf'<tr data-href="/prices/{slug}".*?</tr>', page, re.DOTALL)
    assert row, slug
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row[0], re.DOTALL)]


def text(client: FlaskClient | Visitor, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_strangers_read_what_everybody_pays(app: Flask, stock: None) -> None:
    page = text(app.test_client(), "/prices")

    assert cells(page, "acme/one")[:4] == ["128,000", "$1.25", "$2.50", "$0.125"]
    assert cells(page, "acme/two")[:3] == ["1,000,000", "$12.50", "$2.50"]
    assert "3 of 3 models" in page


def test_the_page_the_files_and_the_api_tell_the_same(app: Flask, stock: None) -> None:
    person = factories.make_person()
    key = factories.make_key(person)
    client = app.test_client()

    listed = client.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).json
    as_json = client.get("/prices.json").json
    rows = list(csv.DictReader(io.StringIO(text(client, "/prices.csv"))))
    page = text(client, "/prices")

    assert listed
    assert as_json
    api = {model["id"]: model["pricing"] for model in listed["data"]}
    assert {model["id"]: model["pricing"] for model in as_json["data"]} == api
    assert [row["model"] for row in rows] == sorted(api)
    for row in rows:
        assert {name: row[f"{name}_usd"] for name in api[row["model"]]} == api[row["model"]]
        assert cells(page, row["model"])[1] == f"${Decimal(row['prompt_usd']) * 1_000_000:.2f}"


def test_people_with_rules_of_their_own_read_their_own_prices(app: Flask, stock: None) -> None:
    """R23: and nobody else reads them."""
    person, other = factories.make_person(), factories.make_person()
    factories.make_rule(markup_percent="0", priority=9, account_id=person.account_id)

    own, others = (text(client_of(app, person=who), "/prices") for who in (person, other))

    assert cells(own, "acme/one")[1:3] == ["$1.00", "$2.00"]
    assert cells(others, "acme/one")[1:3] == ["$1.25", "$2.50"]
    assert "Your prices" in own


def test_strangers_keep_a_page_for_a_while_and_customers_none(app: Flask, stock: None) -> None:
    client = app.test_client()

    first = client.get("/prices")
    again = client.get("/prices", headers={"If-None-Match": first.headers["ETag"]})
    own = client_of(app, person=factories.make_person()).get("/prices")

    assert (again.status_code, again.data) == (304, b"")
    assert "max-age=60" in first.headers["Cache-Control"]
    assert "Cookie" in first.headers["Vary"]
    assert first.headers.getlist("Set-Cookie") == []
    assert own.headers["Cache-Control"] == "no-store"
    assert "ETag" not in own.headers


def test_a_page_of_somebody_with_a_session_is_kept_by_nobody(app: Flask, stock: None, visitor: Callable[..., Visitor]) -> None:
    """A cache between us must not keep a cookie, nor a message that was meant for one."""
    browser = visitor()
    browser.get("/sign-in")  # begins a session, for its form's token

    answer = browser.get("/prices")

    assert browser.cookie()
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_new_price_changes_page_and_tag(app: Flask, stock: None) -> None:
    client = app.test_client()
    before = client.get("/prices")

    factories.make_rule(pattern="acme/*", markup_percent="100", priority=5)
    wiring_of(app).book.refresh()
    after = client.get("/prices", headers={"If-None-Match": before.headers["ETag"]})

    assert after.status_code == 200
    assert cells(after.get_data(as_text=True), "acme/one")[1] == "$2.00"


@pytest.mark.parametrize(
    "path", ["/prices", "/prices/evil/model", "/", "/prices?q=evil", "/prices?q=%3Cscript%3Ealert(%22x%22)%3C/script%3E"]
)
def test_names_and_searches_are_text_and_nothing_else(app: Flask, stock: None, path: str) -> None:
    """What an upstream lists is a stranger's word."""
    page = text(app.test_client(), path)

    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize(
    "query", ["q=" + "a" * 6000, "q=%25%27%22%5C", "q=é‮", "q=x&q=y&sort=;drop", "context=%D9%A3", "maker=" + "b" * 3000]
)
def test_odd_searches_find_nothing_and_break_nothing(app: Flask, stock: None, query: str) -> None:
    answer = app.test_client().get(f"/prices?{query}")

    assert answer.status_code == 200


def test_a_page_with_a_nul_in_its_question_is_refused(app: Flask, stock: None) -> None:
    assert app.test_client().get("/prices?q=%00").status_code == 400


@pytest.mark.parametrize("path", ["/", "/prices", "/prices.csv", "/prices/acme/one"])
def test_public_pages_answer_under_their_own_address_only(app: Flask, stock: None, path: str) -> None:
    """R26: the host header."""
    answer = app.test_client().get(path, headers={"Host": "evil.example"})

    assert answer.status_code == 400


def test_a_file_holds_no_formula(app: Flask, stock: None) -> None:
    factories.make_model(slug="acme/sum", name='=HYPERLINK("http://evil.example")')

    assert "'=HYPERLINK" in text(app.test_client(), "/prices.csv")


def test_a_model_that_is_not_for_sale_has_no_page(app: Flask, stock: None) -> None:
    assert [app.test_client().get(f"/prices/{slug}").status_code for slug in ("acme/three", "acme", "what-if/x")] == [404] * 3


def test_nothing_of_cost_or_supplier_is_told(app: Flask, stock: None) -> None:
    """R28."""
    client = app.test_client()
    pages = " ".join(text(client, path) for path in ("/", "/prices", "/prices.csv", "/prices.json", "/prices/acme/one")).lower()

    assert "openrouter" not in pages
    assert "markup" not in pages
    assert '"0.000001"' not in pages, "the upstream's own price"


def test_a_model_s_page_tells_every_price(app: Flask, stock: None) -> None:
    page = text(app.test_client(), "/prices/acme/one")

    assert all(words in page for words in ("$0.00000125", "$0.0000025", "$0.125", "Input read from a cache", "The first.", "acme/one"))


def used(app: Flask, person: Person) -> None:
    """One call is charged, and in the sums."""
    _, key = factories.mint_key(person)
    who = scenes.Customer(person.account_id, key.id)
    scenes.put_in(who, 1_000)
    house = wiring_of(app)
    terms = replace(scenes.RULE_TERMS, price_version=house.book.refresh().version)
    till, op = house.till, scenes.admission(who, terms=terms)
    till.admit(op)
    till.settle(scenes.settlement(op))
    rollup.run()


def test_what_if_is_about_ones_own_usage(app: Flask, stock: None) -> None:
    """R23: exact against the same days of `/v1/usage`."""
    person, other = factories.make_person(), factories.make_person()
    used(app, person)
    key = factories.make_key(person)
    client = client_of(app, person=person)

    rows = list(csv.DictReader(io.StringIO(text(client, "/prices/what-if.csv?model=acme/two"))))
    page = text(client, "/prices/what-if?model=acme/two")
    usage = client.get("/v1/usage?group_by=model", headers={"Authorization": f"Bearer {key}"}).json
    theirs = text(client_of(app, person=other), "/prices/what-if?model=acme/two")

    assert usage
    assert len(rows) == 1
    told, summed = rows[0], usage["data"][0]
    names = ("model", "prompt_tokens", "completion_tokens")
    assert [told[name] for name in names] == [str(summed[name]) for name in names]
    assert Decimal(told["charged_usd"]) == Decimal(summed["charge"]) > 0
    would = summed["prompt_tokens"] * Decimal("0.0000125") + summed["completion_tokens"] * Decimal("0.0000025")
    assert Decimal(told["would_have_cost_usd"]) == would
    assert "What this leaves out" in page
    assert "Nothing to compare yet" in theirs


def test_what_if_asks_strangers_to_sign_in_and_knows_no_other_models(app: Flask, stock: None, visitor: Callable[..., Visitor]) -> None:
    client = client_of(app, person=factories.make_person())

    assert visitor().get("/prices/what-if").status_code == 302
    assert client.get("/prices/what-if?model=acme/nothing").status_code == 404
    assert client.get("/prices/what-if").status_code == 200
