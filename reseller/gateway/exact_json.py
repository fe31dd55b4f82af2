"""JSON from a stranger and back, without losing a digit of money and without failing on bad text. Pure.

Quick where the bytes are ordinary (orjson), exact where they hold money (Decimal), and tolerant where
they are odd: NaN, numbers out of range, half characters.
"""

import json
from decimal import Decimal
from typing import Any

import orjson

from reseller.money import exact_number


class NotJson(ValueError):
    """The upstream's bytes are no JSON, not of the form that was asked for, or nothing that can be written again."""


def parse(raw: bytes) -> dict[str, Any]:
    """The object in `raw`; NaN, Infinity and numbers out of range come as invalid text. Raises NotJson."""
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        parsed = exact(raw)
    if not isinstance(parsed, dict):
        raise NotJson("not an object")
    return parsed


def exact(raw: bytes) -> Any:
    """The same JSON with every number that has a point or exponent, or more than 64 bits, as Decimal. Raises NotJson."""
    try:
        return json.loads(raw, parse_float=exact_number, parse_int=_integer, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None


def exact_usage(raw: bytes, usage: Any) -> Any:
    """The usage object with exact decimals. Only its own bytes are parsed again, wherever they can be told apart."""
    if not isinstance(usage, dict):
        return usage
    start = raw.rfind(b'"usage"')
    try:
        text = raw[start + 7 :].lstrip(b" \t\r\n:").decode()
        found, _ = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        found = None
    if _with_floats(found) == usage:
        return found
    whole = exact(raw)
    return whole.get("usage") if isinstance(whole, dict) else None


def _integer(text: str) -> int | Decimal | str:
    """An integer that can be sent on as one; a longer one keeps its digits."""
    return int(text) if len(text) < 19 else exact_number(text)


def _no_number(name: str) -> str:
    return f"not a number: {name}"


_DECODER = json.JSONDecoder(parse_float=exact_number, parse_int=_integer, parse_constant=_no_number)


def _with_floats(value: Any) -> Any:
    """For comparison only: decimals as the floats that a quick parse makes of them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {k: _with_floats(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_floats(v) for v in value]
    return value


def dump(shown: Any) -> bytes:
    """JSON bytes of what `parse` gave: exact decimals stay exact, half characters become U+FFFD.

    Raises NotJson for what is nested deeper than orjson writes (254 levels; it reads 1,024).
    """
    try:
        return orjson.dumps(shown, default=_number)
    except orjson.JSONEncodeError:
        try:
            return orjson.dumps(_speakable(shown), default=_number)
        except (orjson.JSONEncodeError, RecursionError):
            raise NotJson("nested too deeply to be sent on") from None


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(type(value).__name__)


def _speakable(value: Any) -> Any:
    """The same value with lone surrogates replaced: UTF-8 has no bytes for them."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_speakable(k): _speakable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_speakable(v) for v in value]
    return value
