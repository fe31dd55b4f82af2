"""EVENTS and the verbs that announce name the same events."""

import ast
import re

from reseller.domain.outbox import EVENTS
from tests.house.source import files, short, tree

EVENT = re.compile(r"[a-z]+(\.[a-z_]+)")


def announced() -> dict[str, str]:
    """Every name that stands in a call of `announce`, and where; of a call with a variable, every name in its file."""
    found = {}
    for path in files("reseller"):
        whole = tree(path)
        for node in ast.walk(whole):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "announce":
                names = _texts(node.args[0])
                if isinstance(node.args[0], ast.Name):
                    names = [text for text in _texts(whole) if EVENT.fullmatch(text)]
                found |= dict.fromkeys(names, f"{short(path)}:{node.lineno}")
    return found


def _texts(part: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(part) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_every_event_is_announced_and_has_its_entry() -> None:
    where = announced()

    assert not EVENTS.keys() - where, "EVENTS promises what no verb announces"
    assert not where.keys() - EVENTS, f"Give the event its entry in reseller/domain/outbox/catalogue.py: {where}"


def test_samples_have_the_fields_that_are_told() -> None:
    wrong = [name for name, kind in EVENTS.items() if list(kind.fields) != list(kind.sample)]

    assert not wrong, f"The page for API users shows both side by side: {wrong}"


def test_names_are_a_noun_and_what_became_of_it() -> None:
    assert [name for name in EVENTS if not EVENT.fullmatch(name)] == []
