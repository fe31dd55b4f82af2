"""`flask secrets`: what lies sealed in the database, when SECRET_KEY is replaced."""

import sys

import click
from flask.cli import AppGroup

from reseller.cli.shared import actor, as_operator, emit, json_option
from reseller.domain import resealing
from reseller.wiring import wiring

secrets = AppGroup("secrets", help="Replace SECRET_KEY.")


@secrets.command()
@json_option
@as_operator
def reseal(as_json: bool) -> None:
    """Seal anew under SECRET_KEY what older ones of SECRET_KEY_PREVIOUS sealed. Safe to repeat; exit 1 names what none of them opens."""
    done = resealing.reseal(wiring().settings.secret_keys, actor=actor())
    result = {"renewed": done.renewed, "current": done.current, "unreadable": list(done.unreadable)}
    lines = [f"{done.renewed} sealed anew, {done.current} were already, {len(done.unreadable)} are opened by no key"]
    emit(result, as_json, [*lines, *(f"  {name}" for name in done.unreadable)])
    if done.unreadable:
        click.echo("Error: give every older key in SECRET_KEY_PREVIOUS; authenticators among them are enrolled anew otherwise", err=True)
        sys.exit(1)
