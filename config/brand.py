"""The name, sign, colour and words under which the shop appears: read and checked once, at start.

Pages and letters take them from here alone, so that whoever sells under a name of their own shows no other.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config import colours

MAX_LOGO_BYTES = 262_144
MAX_LETTER_BYTES = 65_536
MAX_NAME_CHARACTERS = 60

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "png", "image/png"), (b"\xff\xd8\xff", "jpg", "image/jpeg"))
_SVG = re.compile(rb"\s*(<\?xml[^>]*\?>|<!--.*?-->|\s)*<svg[\s>]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Picture:
    """A sign as browsers get it."""

    content: bytes
    suffix: str  # "svg", "png" …
    content_type: str


@dataclass(frozen=True, slots=True)
class LegalLink:
    words: str
    url: str


@dataclass(frozen=True, slots=True)
class Brand:
    """Who the shop says it is. What is "" or None was not set."""

    name: str
    support_email: str
    logo: Picture | None
    color: str  # "#3452d0"; "" leaves the design's own accent
    legal_links: tuple[LegalLink, ...]
    letters: dict[str, str]  # file name → the operator's own text of a letter, instead of ours


def name_of(text: str) -> str:
    """The name without blanks around it. Raises ValueError for what cannot stand in titles and in headers of letters."""
    name = text.strip()
    if not name or not name.isprintable() or len(name) > MAX_NAME_CHARACTERS:
        raise ValueError(f"must be a name on one line, of at most {MAX_NAME_CHARACTERS} characters")
    return name


def color_of(text: str) -> str:
    """The colour in lower case, or "". Raises ValueError for what is none."""
    return colours.written(colours.parse(text)) if text else ""


def read_logo(path: str) -> Picture | None:
    """The picture in this file; None without a path. Raises ValueError if it cannot be read or shown.

    What it is, its first bytes say: a suffix may lie, and browsers are told not to guess.
    """
    if not path:
        return None
    content = _read(Path(path), MAX_LOGO_BYTES)
    for signature, suffix, kind in _SIGNATURES:
        if content.startswith(signature):
            return Picture(content, suffix, kind)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Picture(content, "webp", "image/webp")
    if _SVG.match(content):
        return Picture(content, "svg", "image/svg+xml")
    raise ValueError(f"{path} is no SVG, PNG, JPEG or WebP picture")


def read_letters(folder: str) -> dict[str, str]:
    """The texts in this folder by file name; none without a folder. Raises ValueError if one cannot be read."""
    if not folder:
        return {}
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} is not a folder")
    return {path.name: _text(path) for path in sorted(Path(folder).iterdir()) if path.is_file() and not path.name.startswith(".")}


def _logo_path(path: str) -> str:
    read_logo(path)
    return path


def _letters_folder(folder: str) -> str:
    read_letters(folder)
    return folder


CHECKS: dict[str, Callable[[str], str]] = {
    "brand_name": name_of,
    "brand_logo": _logo_path,
    "brand_color": color_of,
    "brand_letters_dir": _letters_folder,
}
"""The setting as it is kept; each raises ValueError with what is wrong."""


def _text(path: Path) -> str:
    try:
        return _read(path, MAX_LETTER_BYTES).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None


def _read(path: Path, at_most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(at_most + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > at_most:
        raise ValueError(f"{path} has more than {at_most:,} bytes")
    return content
