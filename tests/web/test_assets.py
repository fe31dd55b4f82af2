"""Assets are kept for ever under an address that changes with their content, and come from nowhere else."""

import re
from pathlib import Path

import pytest
from flask import Flask

from reseller.web.assets import FOLDER, FOREVER, asset

TEXTS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*.*"))


def address_of(app: Flask, name: str) -> str:
    with app.test_request_context():
        return asset(name)


@pytest.mark.parametrize(("name", "kind"), [("tokens.css", "text/css"), ("app.js", "text/javascript"), ("icons.svg", "image/svg+xml")])
def test_an_asset_may_be_kept_for_ever(dry_app: Flask, name: str, kind: str) -> None:
    answer = dry_app.test_client().get(address_of(dry_app, name))

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == FOREVER
    assert "immutable" in FOREVER
    assert answer.mimetype == kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.data == (FOLDER / name).read_bytes()
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/assets/000000000000/tokens.css", "/assets/0/../tokens.css", "/assets/000000000000/none.css"])
def test_the_address_of_another_version_leads_nowhere(dry_app: Flask, path: str) -> None:
    answer = dry_app.test_client().get(path)

    assert answer.status_code == 404
    assert answer.headers.get("Cache-Control") != FOREVER


def test_a_page_cannot_name_an_asset_that_is_not_there(dry_app: Flask) -> None:
    with dry_app.test_request_context(), pytest.raises(KeyError):
        asset("none.css")


@pytest.mark.parametrize("name", TEXTS)
def test_an_asset_of_ours_fetches_nothing_from_elsewhere(name: str) -> None:
    """R37: pages speak to the server they came from. (The namespace of SVG is a name, not an address.)"""
    text = (FOLDER / name).read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")

    assert not re.search(r"https?://|@import|url\(", text)


@pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith(".js")])
def test_a_script_of_ours_never_writes_markup(name: str) -> None:
    """R37: text from data stays text."""
    text = Path(FOLDER / name).read_text()

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(.(style|on)", text)
