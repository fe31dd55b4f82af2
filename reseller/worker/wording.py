"""The words of letters: a text for each kind, its first line the subject; the page-like form is made of the same text.

An operator's own text (`BRAND_LETTERS_DIR`, same file name) stands in for ours. It is tried at start; should it fail all the
same, it must not keep the letter from going out: then ours does, and the log says why. No text has a name in it that somebody
typed at sign-up, or strangers would get advertisements from us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from config import Settings
from config.brand import Brand
from reseller import alarms
from reseller.domain.letters import Claimed, LetterKind

FOLDER = Path(__file__).parent / "templates" / "letters"

WITH_LINK = frozenset({LetterKind.VERIFY_ADDRESS, LetterKind.RESET_PASSWORD, LetterKind.CONFIRM_NEW_ADDRESS})
FACTS: Mapping[LetterKind, tuple[str, ...]] = {
    LetterKind.PASSWORD_CHANGED: ("address",),
    LetterKind.CONFIRM_NEW_ADDRESS: ("old_email",),
    LetterKind.ADDRESS_CHANGE_ASKED: ("new_email", "address"),
    LetterKind.ADDRESS_CHANGED: ("new_email",),
    LetterKind.SIGN_IN_LINKED: ("provider", "address"),
    LetterKind.AUTHENTICATOR_CHANGED: ("what", "address"),
    LetterKind.RECOVERY_CODES_ISSUED: ("address",),
    LetterKind.LOW_BALANCE: ("balance", "line"),
    LetterKind.BUDGET_CROSSED: ("budget", "span", "spent", "about"),
    LetterKind.KEY_EXPIRES: ("key", "day"),
    LetterKind.ACCOUNT_FROZEN: ("amount", "balance"),
    LetterKind.OPERATOR_ALARM: ("what", "list", "more"),
    LetterKind.OPERATOR_ALARM_OVER: ("what", "list", "more"),
    LetterKind.WEBHOOK_OFF: ("endpoint", "said"),
}
"""What each letter tells besides: `facts.address` and so on in its text."""

KINDS = tuple(kind for kind in LetterKind if kind != LetterKind.RESET_ASKED)
"""Those that have a text."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Words:
    subject: str
    text: str
    html: str


def problems(brand: Brand) -> list[str]:
    """Why the operator's own texts cannot be used: one sentence for each file, none if all can."""
    return [f"BRAND_LETTERS_DIR: {name} {problem}" for name, text in brand.letters.items() if (problem := _problem(name, text, brand))]


def _problem(name: str, text: str, brand: Brand) -> str:
    if name not in {f"{kind}.txt" for kind in KINDS}:
        return f"is no letter; there are {', '.join(f'{kind}.txt' for kind in KINDS)}"
    kind = LetterKind(name.removesuffix(".txt"))
    link = "https://link.example/" if kind in WITH_LINK else ""
    facts = dict.fromkeys(FACTS.get(kind, ()), "a fact")
    try:
        filled = (
            _texts()
            .from_string(text)
            .render(_placeholders(brand, facts, link=link, until="soon", written="now", base_url="https://shop.example"))
        )
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return f"cannot be filled in: {error}"
    if not filled.strip().partition("\n")[2].strip():
        return "needs a first line, the subject, and a text below it"
    return "" if link in filled else "leaves out {{ link }}, without which the letter is of no use"


def _placeholders(brand: Brand, facts: Mapping[str, str], *, base_url: str, **said: str) -> dict[str, Any]:
    """What texts may name."""
    return {"brand": brand, "facts": facts, "address_of": lambda path: f"{base_url}{path}", **said}


def of(letter: Claimed, settings: Settings, *, link: str, until: datetime | None) -> Words:
    """The letter in words."""
    brand, name = settings.brand, f"{letter.kind}.txt"
    said = {"link": link, "until": _moment(until) if until else "", "written": _moment(letter.created_at)}
    facts = _placeholders(brand, letter.facts, base_url=settings.base_url, **said)
    try:
        filled = _texts().from_string(brand.letters[name]).render(facts) if name in brand.letters else ""
    except TemplateError as error:
        problem = f"{type(error).__name__}: {error}"
        log.error("letter_text_unusable", file=name, error=problem)
        alarms.note("letter_text_unusable", name, problem)
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
