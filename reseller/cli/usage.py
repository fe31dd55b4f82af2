"""`flask usage`: the sums that charts show."""

import sys

from flask.cli import AppGroup

from reseller.cli.shared import as_operator, emit, json_option
from reseller.domain.usage import rollup

usage_commands = AppGroup("usage", help="Usage: bring its sums up to date, prove them.")


@usage_commands.command("roll-up")
@json_option
@as_operator
def roll_up(as_json: bool) -> None:
    """Sum the usage rows that came since the last time, as the clock does every minute."""
    quarters = rollup.run()
    emit({"quarters": quarters}, as_json, [f"{quarters} quarter-hours summed"])


@usage_commands.command()
@json_option
@as_operator
def verify(as_json: bool) -> None:
    """Prove that the sums are those of the raw rows. Exit 1 names every quarter-hour that is not.

    Calls that were settled since the last roll-up count as differences.
    """
    wrong = [starts_at.isoformat() for starts_at in rollup.differences()]
    lines = [*wrong, f"{len(wrong)} quarter-hours differ"] if wrong else ["all sums agree with the calls"]
    emit({"differences": wrong}, as_json, lines)
    if wrong:
        sys.exit(1)
