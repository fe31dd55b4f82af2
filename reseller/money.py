"""US dollars as exact numbers: `Decimal` in Python, integers of nano-dollars in the database.

What it is not: a currency library. There is one currency, so the unit lives in the name
(`_usd` for Decimal dollars, `_nano` for integer nano-dollars). Only this module rounds,
and it rounds a charge once and upwards. No float is accepted anywhere.
"""

import re
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation

from sqlalchemy import BigInteger, Numeric
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

NANO = 1_000_000_000
MAX_NANO = 2**63 - 1
ZERO_USD = Decimal(0)

EXACT = Context(prec=120, traps=[InvalidOperation, Inexact])
"""Sums and products of prices and token counts never round here: an inexact result raises."""

_WIDE = Context(prec=120, traps=[InvalidOperation])
_DECIMAL_TEXT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,40})?", re.ASCII)


def to_nano(amount_usd: Decimal) -> int:
    """The same amount in nano-dollars. Raises ValueError if it is not a whole number of them."""
    if not isinstance(amount_usd, Decimal) or not amount_usd.is_finite():
        raise ValueError(f"not an amount of money: {amount_usd!r}")
    scaled = amount_usd.scaleb(9, _WIDE)
    nano = int(scaled)
    if nano != scaled:
        raise ValueError(f"finer than a nano-dollar: {amount_usd}")
    if abs(nano) > MAX_NANO:
        raise ValueError(f"too large an amount: {amount_usd}")
    return nano


def to_usd(nano: int) -> Decimal:
    """The same amount as Decimal dollars, exact."""
    return Decimal(nano).scaleb(-9, _WIDE)


def round_up_charge(amount_usd: Decimal) -> int:
    """Nano-dollars, rounded up: the only rounding a charge ever sees (promise R7)."""
    return int(amount_usd.scaleb(9, _WIDE).to_integral_value(ROUND_CEILING))


def percent_of(part: Decimal, whole: Decimal) -> Decimal:
    """part ÷ whole in percent, half-even to six places: a figure to look at and compare, never one to bill."""
    return _WIDE.divide(part, whole).scaleb(2, _WIDE).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)


def parse_usd(text: str) -> Decimal:
    """A decimal string from outside, such as "12.50", as dollars.

    Raises ValueError for anything but plain ASCII digits with at most nine places:
    no exponent, no sign but a leading minus, no NaN, no thousands separator.
    """
    if not isinstance(text, str) or not _DECIMAL_TEXT.fullmatch(text):
        raise ValueError(f"not a decimal amount of dollars: {text!r}")
    amount = Decimal(text)
    to_nano(amount)
    return amount


def exact_number(text: str) -> Decimal | str:
    """A JSON number as Decimal; one whose exponent no Decimal has comes as text, which is no number to anybody."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return f"not a number: {text[:20]}"


def format_decimal(value: Decimal) -> str:
    """Plain digits without exponent and without trailing zeros: "0.0000006", "12.5", "0"."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def format_nano(nano: int) -> str:
    """Nano-dollars as a plain decimal string of dollars. In integers: a call writes four of them."""
    dollars, rest = divmod(abs(nano), NANO)
    places = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if nano < 0 else ''}{dollars}{places}"


def display_usd(amount_usd: Decimal) -> str:
    """Dollars for people: whole cents with two places, all else with six, so that amounts in a column can be compared."""
    rounded = amount_usd.quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
    places = 2 if rounded == rounded.quantize(Decimal("0.01"), ROUND_HALF_EVEN) else 6
    return f"{'-' if rounded < 0 else ''}${abs(rounded):,.{places}f}"


def places_of(amounts_nano: Iterable[int]) -> int:
    """As few places as show every digit of each amount: two, six or nine. A column with them adds up as it is read."""
    amounts = list(amounts_nano)
    return next(places for places in (2, 6, 9) if all(nano % 10 ** (9 - places) == 0 for nano in amounts))


def fixed_usd(nano: int, places: int) -> str:
    """Dollars with this many places, of which the amount has no more."""
    sign, (dollars, rest) = "-" if nano < 0 else "", divmod(abs(nano), NANO)
    return f"{sign}${dollars:,}.{rest:09d}"[: places - 9 or None]


def exact_usd(amount_usd: Decimal) -> str:
    """Dollars with every digit there is, at least two places: "$0.00000075", "$1.50"."""
    whole, _, places = format_decimal(abs(amount_usd)).partition(".")
    return f"{'-' if amount_usd < 0 else ''}${whole}.{places.ljust(2, '0')}"


class Usd(TypeDecorator[Decimal]):
    """A BIGINT column of nano-dollars that reads and writes Decimal dollars."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else to_nano(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else to_usd(value)


class UsdRate(TypeDecorator[Decimal]):
    """A NUMERIC column without scale: a price per token is exact, however small it is.

    Prices are facts from outside with as many places as their author wrote; they are
    read once into memory, so the wider column costs nothing where speed counts.
    """

    impl = Numeric
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:
        if value is not None and (not isinstance(value, Decimal) or not value.is_finite()):
            raise ValueError(f"not a price: {value!r}")
        return value
