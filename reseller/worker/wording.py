"""The words of letters: a text for each kind, its first line the subject; the page-like form is made of the same text.

An operator's own text (`BRAND_LETTERS_DIR`, same file name) stands in for ours. One that cannot be filled in must not keep the
letter from going out: then ours does, and the log says why. No text has a name in it that somebody typed at sign-up, or strangers
would get advertisements from us.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from config import Settings
from reseller.domain.letters import Claimed

FOLDER = Path(__file__).parent / "templates" / "letters"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Words:
    subject: str
    text: str
    html: str


def of(letter: Claimed, settings: Settings, *, link: str, until: datetime | None) -> Words:
    """The letter in words."""
    brand, name = settings.brand, f"{letter.kind}.txt"
    facts = {
        "brand": brand,
        "facts": letter.facts,
        "link": link,
        "until": _moment(until) if until else "",
        "written": _moment(letter.created_at),
        "address_of": lambda path: f"{settings.base_url}{path}",
    }
    try:
        filled = _texts().from_string(brand.letters[name]).render(facts) if name in brand.letters else ""
    except TemplateError as error:
        log.error("letter_text_unusable", file=name, error=f"{type(error).__name__}: {error}")
        filled = ""
    filled = filled.replace("\r\n", "\n").strip() or _texts().get_template(name).render(facts).strip()
    subject, _, body = filled.partition("\n")
    paragraphs = [paragraph.strip() for paragraph in body.strip().split("\n\n")]
    foot = [brand.name, settings.base_url, *([brand.support_email] if brand.support_email else [])]
    foot += [f"{page.words}: {page.url}" for page in brand.legal_links]
    return Words(
        subject=" ".join(subject.split()),
        text="\n\n".join([*paragraphs, "-- \n" + "\n".join(foot)]) + "\n",
        html=_pages()
        .get_template("letter.html")
        .render(brand=brand, subject=subject, paragraphs=[(text, _is_link(text, settings)) for text in paragraphs], foot=foot),
    )


def _is_link(paragraph: str, settings: Settings) -> bool:
    """Whether the paragraph is an address of ours and nothing else."""
    return paragraph.startswith(f"{settings.base_url}/") and len(paragraph.split()) == 1


def _moment(at: datetime) -> str:
    return f"{at:%-d %B %Y, %H:%M} UTC"


@cache
def _texts() -> Environment:
    return Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=False)  # noqa: S701 - plain text


@cache
def _pages() -> Environment:
    return Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=True, trim_blocks=True)
