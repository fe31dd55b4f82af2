"""The operator's name, sign and colour on pages: read at start, served by us, readable whatever the colour."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from config.brand import Brand, read_logo
from config.colours import parse
from reseller.web import branding
from reseller.web.assets import PICTURE_ALONE
from tests.web.test_assets import address_of
from tests.web.test_colours import EDGES, PAIR, TEXT_ON_GROUND, THEMES, TOKENS, contrast

COLORS = ("#3452d0", "#ffcc00", "#ffffff", "#000000", "#e4002b", "#00a651", "#7f7f7f", "#f5f0ff", "#0b0b2b", "#00ffff", "#ff6f00")
SVG = b'<?xml version="1.0"?>\n<!-- sign -->\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def brand(**chosen: object) -> Brand:
    plain: dict[str, object] = {"name": "Acme AI", "support_email": "", "logo": None, "color": "", "legal_links": (), "letters": {}}
    return Brand(**(plain | chosen))  # type: ignore[arg-type]


def sheet_of(color: str) -> str:
    return branding.assets_of(brand(color=color))[1].content.decode()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("color", COLORS)
def test_any_colour_can_be_read_and_seen_on_every_ground(color: str, theme: str) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11, level AA: pale, dark and loud accents alike."""
    tokens = TOKENS | {name: {"light": light, "dark": dark} for name, light, dark in PAIR.findall(sheet_of(color))}

    faint = [pair for pair in TEXT_ON_GROUND if contrast(*(tokens[name][theme] for name in pair)) < 4.5]
    unseen = [pair for pair in EDGES if contrast(*(tokens[name][theme] for name in pair)) < 3]

    assert (faint, unseen) == ([], [])


def test_a_colour_that_can_be_read_stays_as_it_was_chosen() -> None:
    assert "--accent-solid: light-dark(#9c1f6b," in sheet_of("#9c1f6b")


@pytest.mark.parametrize(
    ("color", "first", "gone"),
    [("#3452d0", "#3452d0", None), ("#0a9080", "#0a9080", "series-2"), ("#c2185b", "#c2185b", "series-6"), ("#ffcc00", None, "series-3")],
)
def test_charts_begin_with_the_colour_and_none_of_the_others_looks_like_it(color: str, first: str | None, gone: str | None) -> None:
    series = {name: light for name, light, _ in PAIR.findall(sheet_of(color)) if name.startswith("series-")}

    assert first in (series["series-1"], None)
    assert set(series) == {"series-1", gone} - {None}
    assert gone is None or series[gone] == branding.OWN_ACCENT


def test_shades_are_measured_against_the_grounds_that_pages_have() -> None:
    for theme, grounds in (("light", branding.LIGHT_GROUNDS), ("dark", branding.DARK_GROUNDS)):
        assert tuple(parse(TOKENS[name][theme]) for name in ("surface", "page", "sunk", "current")) == grounds
    assert tuple(parse(TOKENS["text-faint"][theme]) for theme in THEMES) == branding.FAINTEST_TEXT
    assert TOKENS["accent-solid"]["light"] == branding.OWN_ACCENT
    numbered = [TOKENS[f"series-{number}"] for number in range(1, 7)]
    assert tuple((parse(pair["light"]), parse(pair["dark"])) for pair in numbered) == branding.SERIES


def test_without_a_picture_the_sign_is_the_first_letter_and_no_markup_of_the_name() -> None:
    sign, sheet = branding.assets_of(brand(name="<b>"))

    assert (sign.name, sign.content_type) == ("sign.svg", "image/svg+xml")
    assert b">&lt;</text>" in sign.content
    assert sheet.content == b""


def test_the_sign_of_the_operator_is_on_every_page_and_nothing_in_it_runs(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    (tmp_path / "logo").write_bytes(SVG)
    app = make_app(BRAND_NAME="Acme AI", BRAND_LOGO=str(tmp_path / "logo"), BRAND_COLOR="#E4002B")

    page = app.test_client().get("/sign-in").get_data(as_text=True)
    picture = app.test_client().get(address_of(app, "sign.svg"))
    sheet = app.test_client().get(address_of(app, "brand.css"))

    assert page.count(address_of(app, "sign.svg")) == 2
    assert page.index(address_of(app, "tokens.css")) < page.index(address_of(app, "brand.css")) < page.index(address_of(app, "base.css"))
    assert picture.data == SVG
    assert picture.headers["Content-Security-Policy"] == PICTURE_ALONE
    assert {"sandbox", "default-src 'none'"} <= set(PICTURE_ALONE.split("; "))
    assert "--accent-solid: light-dark(#e4002b," in sheet.get_data(as_text=True)


def test_the_foot_of_every_page_says_whom_to_ask_and_what_applies(make_app: Callable[..., Flask]) -> None:
    legal = {"BRAND_TERMS_URL": "https://acme.example/terms/", "BRAND_PRIVACY_URL": "https://acme.example/privacy"}
    app = make_app(BRAND_SUPPORT_EMAIL="help@acme.example", **legal)

    for path in ("/", "/sign-in", "/sign-in/confirm/nowhere"):
        page = app.test_client().get(path).get_data(as_text=True)
        foot = page[page.index("<footer") :]

        assert "mailto:help@acme.example" in foot
        assert re.findall(r'href="(https:[^"]+)"', foot) == list(legal.values())
        assert "Imprint" not in foot


@pytest.mark.parametrize(
    ("content", "suffix"),
    [(b"\x89PNG\r\n\x1a\nx", "png"), (b"\xff\xd8\xffx", "jpg"), (b"RIFF\0\0\0\0WEBPx", "webp"), (SVG, "svg"), (b"<html><svg>", None)],
)
def test_what_a_picture_is_its_first_bytes_say(tmp_path: Path, content: bytes, suffix: str | None) -> None:
    (tmp_path / "picture.svg").write_bytes(content)

    if suffix is None:
        with pytest.raises(ValueError, match="is no SVG, PNG, JPEG or WebP picture"):
            read_logo(str(tmp_path / "picture.svg"))
    else:
        found = read_logo(str(tmp_path / "picture.svg"))
        assert found is not None
        assert found.suffix == suffix
