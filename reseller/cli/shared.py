"""What every command shares: acting as the operator, who that is, and how results leave.

stdout carries only the result; logs and errors go to stderr, a refusal ends with exit 1.
"""

import functools
import getpass
import re
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar

import click
import orjson
from sqlalchemy.exc import OperationalError, ProgrammingError

from config.logging import configure_logging
from reseller.database import acting_as_operator
from reseller.errors import Refusal
from reseller.money import parse_usd

P = ParamSpec("P")
R = TypeVar("R")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def actor() -> str:
    """Who acts, for the audit rows."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"


def as_operator(command: Callable[P, R]) -> Callable[P, R]:
    """The command sees every account; a refusal or a database that does not answer ends it with exit 1 and one sentence."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        configure_logging("WARNING")  # stderr: stdout carries the result alone
        try:
            with acting_as_operator():
                return command(*args, **kwargs)
        except Refusal as refusal:
            click.echo(f"Error: {refusal.message}", err=True)
        except OperationalError as error:
            click.echo(f"Error: the database does not answer: {str(error.orig).strip().splitlines()[0]}", err=True)
        except ProgrammingError as error:
            if "does not exist" not in str(error.orig):
                raise
            click.echo("Error: the database has no tables yet, or old ones; run `flask db upgrade` first", err=True)
        sys.exit(1)

    return run


def emit(result: dict[str, Any], as_json: bool, lines: Iterable[str]) -> None:
    """The result on stdout: one JSON object, or lines for people."""
    if as_json:
        click.echo(orjson.dumps(result, default=str).decode())
        return
    for line in lines:
        click.echo(line)


class Duration(click.ParamType[timedelta]):
    """`90s 15m 12h 30d` as a timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", str(value))
        if not found:
            self.fail(f"{value!r} is not a duration such as 90s, 15m, 12h or 30d", param, ctx)
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


class Grace(Duration):
    """A duration, or 0."""

    name = "duration|0"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        return timedelta(0) if value == "0" else super().convert(value, param, ctx)


class UsdAmount(click.ParamType[Decimal]):
    """A decimal string of dollars as an exact Decimal."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        if isinstance(value, Decimal):
            return value
        try:
            return parse_usd(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class LimitOrNone(click.ParamType[int]):
    """A whole number above zero, or `none` to lift the limit (given on as 0)."""

    name = "number|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "none":
            return 0
        if not re.fullmatch(r"[1-9][0-9]{0,9}", str(value), re.ASCII) or int(value) > 2_000_000_000:
            self.fail(f"{value!r} is neither a whole number above zero nor none", param, ctx)
        return int(value)


DURATION, GRACE, USD, LIMIT = Duration(), Grace(), UsdAmount(), LimitOrNone()
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
