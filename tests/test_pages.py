"""The front page: what it is, how to begin, and some prices, whatever is for sale."""

from flask import Flask

from reseller import pages
from reseller.wiring import wiring_of
from tests import factories
from tests.staff import client_of


def front_page(app: Flask) -> str:
    answer = app.test_client().get("/")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_before_anything_is_for_sale_it_still_says_what_it_is(app: Flask) -> None:
    page = front_page(app)

    assert "http://localhost:8000/v1" in page
    assert "Prices for a million tokens" not in page


def test_it_shows_the_newest_chat_model_of_each_maker_then_the_others(app: Flask) -> None:
    factories.make_rule()
    for slug in ("acme/old", "acme/new", "zed/only"):
        factories.make_model(slug=slug)
    factories.make_model(slug="vec/embed", kind="embedding")

    teased = pages.teased(wiring_of(app).book.snapshot.models_for(None))
    page = front_page(app)

    assert [model.slug for model in teased] == ["acme/new", "zed/only", "acme/old"]
    assert "$1.25" in page
    assert "All 4 models" in page


def test_it_teases_and_does_not_list(app: Flask) -> None:
    factories.make_rule()
    for number in range(pages.TEASED + 3):
        factories.make_model(slug=f"maker-{number}/model")

    assert len(pages.teased(wiring_of(app).book.snapshot.models_for(None))) == pages.TEASED


def test_it_offers_more_models_only_if_there_are_more(app: Flask) -> None:
    factories.make_rule()
    factories.make_model(slug="acme/only")

    page = front_page(app)

    assert "All 1" not in page
    assert "Price list" in page


def test_whoever_is_signed_in_is_led_to_their_overview(app: Flask) -> None:
    page = client_of(app, person=factories.make_person()).get("/").get_data(as_text=True)

    assert 'href="/overview"' in page
    assert "Create an account" not in page
