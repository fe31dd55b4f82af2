"""How the shop looks under the operator's name: its sign, its colour, its legal links. Made once, at start, from the settings.

The design has one accent. Every shade of it follows from the colour that was chosen, each moved towards black or white
as far as it takes to be read on the grounds of `tokens.css`: a colour that looks well on a letterhead is often too pale.
"""

from markupsafe import escape

from config import colours
from config.brand import Brand
from config.colours import BLACK, READABLE, VISIBLE, WHITE, Rgb, contrast, mixed, shade, text_on, written
from reseller.web.assets import Asset, made

LIGHT_GROUNDS: tuple[Rgb, ...] = tuple(colours.parse(ground) for ground in ("#ffffff", "#f6f7f8", "#f0f1f4", "#e6e9f0"))
DARK_GROUNDS: tuple[Rgb, ...] = tuple(colours.parse(ground) for ground in ("#15181c", "#0e1013", "#1c2026", "#22272f"))
"""--surface, --page, --sunk and --current of tokens.css; a test holds them together."""

FAINTEST_TEXT: tuple[Rgb, Rgb] = (colours.parse("#626a75"), colours.parse("#929ba8"))
"""--text-faint, which stands on the tinted ground too."""

MOST_TINT_PERCENT = 16
OWN_ACCENT = "#3452d0"

SERIES: tuple[tuple[Rgb, Rgb], ...] = tuple(
    (colours.parse(light), colours.parse(dark))
    for light, dark in (
        ("#3452d0", "#8b9dff"),
        ("#0f8f7e", "#4fd0bd"),
        ("#c2700c", "#f0b35c"),
        ("#a8328a", "#e58fd0"),
        ("#5b7083", "#9fb3c6"),
        ("#b01e2b", "#ff9a9a"),
    )
)
"""--series-1 to --series-6 of tokens.css; a test holds them together."""

_SIGN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="{ground}"/>'
    '<text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" font-size="20" font-weight="700"'
    ' fill="{ink}">{letter}</text></svg>'
)


def assets_of(brand: Brand) -> tuple[Asset, ...]:
    """The sign, and the style sheet of the colour; the sheet is empty where none was chosen."""
    sheet = made("brand.css", _sheet(brand.color).encode(), "text/css; charset=utf-8")
    return _sign(brand), sheet


def sign_name(brand: Brand) -> str:
    """The sign as `asset()` knows it."""
    return f"sign.{brand.logo.suffix if brand.logo else 'svg'}"


def _sign(brand: Brand) -> Asset:
    """The operator's picture; without one the first letter of the name on the accent."""
    if brand.logo is not None:
        return made(sign_name(brand), brand.logo.content, brand.logo.content_type)
    ground = colours.parse(brand.color or OWN_ACCENT)
    letter = escape(brand.name[0].upper())
    text = _SIGN.format(ground=written(ground), ink=written(text_on(ground)), letter=letter)
    return made(sign_name(brand), text.encode(), "image/svg+xml")


def _sheet(color: str) -> str:
    if not color:
        return ""
    chosen = colours.parse(color)
    grounds = (_tinted(LIGHT_GROUNDS[0], chosen, FAINTEST_TEXT[0]), _tinted(DARK_GROUNDS[0], chosen, FAINTEST_TEXT[1]))
    solids = (shade(chosen, LIGHT_GROUNDS, BLACK, VISIBLE), shade(chosen, DARK_GROUNDS, WHITE, VISIBLE))
    inks = (text_on(solids[0]), text_on(solids[1]))
    pairs = {
        "accent": (
            shade(chosen, (*LIGHT_GROUNDS, grounds[0]), BLACK, READABLE),
            shade(chosen, (*DARK_GROUNDS, grounds[1]), WHITE, READABLE),
        ),
        "accent-solid": solids,
        "accent-solid-hover": (_away(solids[0], inks[0]), _away(solids[1], inks[1])),
        "on-accent": inks,
        "accent-ground": grounds,
    } | _series(chosen, solids)
    lines = "".join(f"  --{name}: light-dark({written(light)}, {written(dark)});\n" for name, (light, dark) in pairs.items())
    return f":root {{\n{lines}}}\n"


def _series(chosen: Rgb, solids: tuple[Rgb, Rgb]) -> dict[str, tuple[Rgb, Rgb]]:
    """Charts begin with the accent. Of the other colours the one that looks most like it makes room for our own first."""
    nearest = min(range(len(SERIES)), key=lambda place: sum((a - b) ** 2 for a, b in zip(SERIES[place][0], chosen, strict=True)))
    return {f"series-{nearest + 1}": SERIES[0], "series-1": solids}


def _tinted(ground: Rgb, chosen: Rgb, faintest: Rgb) -> Rgb:
    """The ground with as much of the colour in it as leaves every text on it readable."""
    tints = (mixed(ground, chosen, percent / 100) for percent in range(MOST_TINT_PERCENT, 0, -1))
    return next((tint for tint in tints if contrast(tint, faintest) >= READABLE), ground)


def _away(ground: Rgb, ink: Rgb) -> Rgb:
    """The ground below the pointer: a little further from what is written on it."""
    return mixed(ground, BLACK if ink == WHITE else WHITE, 0.12)
