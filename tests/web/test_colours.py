"""Text can be read on every ground it stands on, in both themes; and colours are named in one place."""

import re
from itertools import product
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "reseller/web/static"
PAIR = re.compile(r"--([a-z0-9-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)")
TOKENS = {name: {"light": light, "dark": dark} for name, light, dark in PAIR.findall((STATIC / "tokens.css").read_text())}
THEMES = ("light", "dark")

GROUNDS = ("page", "surface", "sunk", "raised", "hover")
TONES = ("good", "warn", "bad", "info", "quiet")
TEXT_ON_GROUND = (
    *product(("text", "text-soft", "text-faint", "accent", "bad"), GROUNDS),
    *product(("good", "warn", "bad", "info"), ("surface",)),  # the figure of a tile
    *((tone, f"{tone}-ground") for tone in TONES),
    *product(("text", "text-soft", "text-faint", "accent"), ("accent-ground", "current")),
    ("on-accent", "accent-solid"),
    ("on-accent", "accent-solid-hover"),
    ("on-bad", "bad-solid"),
    ("on-bad", "bad-solid-hover"),
)
EDGES = (
    *product(("control-line", "accent"), ("page", "surface")),
    *((f"series-{number}", "surface") for number in range(1, 7)),
    *product(("accent-solid", "good-solid", "warn-solid", "bad-solid", "info-solid"), ("surface",)),  # bars
)


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
def test_text_can_be_read_on_its_ground(text: str, ground: str, theme: str) -> None:
    """WCAG 2.2, 1.4.3, level AA."""
    assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_fields_focus_and_lines_of_charts_can_be_told_from_their_ground(edge: str, ground: str, theme: str) -> None:
    """WCAG 2.2, 1.4.11, level AA."""
    assert contrast(TOKENS[edge][theme], TOKENS[ground][theme]) >= 3


@pytest.mark.parametrize("sheet", sorted(path.name for path in STATIC.glob("*.css") if path.name != "tokens.css"))
def test_a_style_sheet_names_colours_by_token(sheet: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", (STATIC / sheet).read_text(), flags=re.DOTALL)

    found = re.findall(r"#[0-9a-fA-F]{3,8}\b|(?:rgba?|hsla?|oklch|light-dark)\(", text)

    assert not found, f"{sheet} has colours of its own; put them into tokens.css with a light and a dark side"


@pytest.mark.parametrize("sheet", sorted(path.name for path in STATIC.glob("*.css")))
def test_a_style_sheet_uses_only_tokens_that_exist(sheet: str) -> None:
    own = (STATIC / sheet).read_text()
    defined = set(re.findall(r"(--[a-z0-9-]+):", (STATIC / "tokens.css").read_text() + own))

    assert set(re.findall(r"var\((--[a-z0-9-]+)", own)) <= defined
