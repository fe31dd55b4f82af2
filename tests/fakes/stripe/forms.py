"""Parameters as the SDK sends them: a[b][0][c]=d. Pure."""

import re
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.stripe.refusals import Refused

_PART = re.compile(r"\[([^\]]*)\]")


def parsed(text: str) -> dict[str, Any]:
    """The form as nested dicts and lists of text."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        first, *_ = name.split("[", 1)
        path = [first, *_PART.findall(name[len(first) :])]
        here = tree
        for part in path[:-1]:
            here = here.setdefault(part, {})
        if path[-1] in here:
            raise Refused(f"Invalid request: {name} stands twice")
        here[path[-1]] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    made = {name: _lists(value) for name, value in node.items()}
    return list(made.values()) if made and all(name.isdecimal() or not name for name in made) else made


def is_true(value: Any) -> bool:
    return bool(value == "true")


def whole(value: Any, param: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]+", value, re.ASCII):
        raise Refused(f"Invalid integer: {value}", code="parameter_invalid_integer", param=param)
    return int(value)
