"""Colours as numbers: contrast as WCAG 2.2 measures it, and the nearest colour that can be read. Pure."""

import re

Rgb = tuple[int, int, int]

BLACK: Rgb = (0, 0, 0)
WHITE: Rgb = (255, 255, 255)
READABLE, VISIBLE = 4.5, 3.0
"""The least contrast of text, and of what is no text, with the ground (WCAG 2.2, level AA)."""

_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})\Z")
_STEPS = 100


def parse(text: str) -> Rgb:
    """`#3452d0` as numbers. Raises ValueError for anything else."""
    found = _HEX.match(text)
    if found is None:
        raise ValueError("must be a colour like #3452d0")
    red, green, blue = (int(pair, 16) for pair in found.groups())
    return red, green, blue


def written(colour: Rgb) -> str:
    """As style sheets say it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def mixed(colour: Rgb, other: Rgb, share: float) -> Rgb:
    """The colour with this share of the other one in it."""
    red, green, blue = (round(ours + (theirs - ours) * share) for ours, theirs in zip(colour, other, strict=True))
    return red, green, blue


def contrast(one: Rgb, other: Rgb) -> float:
    """1 for the same colour, 21 for black on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def shade(colour: Rgb, grounds: tuple[Rgb, ...], towards: Rgb, least: float) -> Rgb:
    """The colour, moved towards black or white no further than it takes to have this contrast with each of the grounds."""
    shades = (mixed(colour, towards, step / _STEPS) for step in range(_STEPS))
    return next((tried for tried in shades if all(contrast(tried, ground) >= least for ground in grounds)), towards)


def text_on(ground: Rgb) -> Rgb:
    """White or black, whichever is read better; one of them always can be."""
    return WHITE if contrast(WHITE, ground) >= READABLE else BLACK


def _luminance(colour: Rgb) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (value / 255 for value in colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
