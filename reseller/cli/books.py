"""`flask ledger`: the proof that the books add up."""

import sys

from flask.cli import AppGroup

from reseller.cli.shared import as_operator, emit, json_option
from reseller.domain import books

ledger_commands = AppGroup("ledger", help="The books: verify them.")


@ledger_commands.command()
@json_option
@as_operator
def verify(as_json: bool) -> None:
    """Prove that balances, entries, usage, holds and payments agree. Exit 1 names every account and row that does not."""
    report = books.verify()
    problems = [{"account_id": str(m.account_id), "row": m.row, "problem": m.problem} for m in report.mismatches]
    result = {"accounts": report.accounts, "entries": report.entries, "open_holds": report.open_holds, "mismatches": problems}
    lines = [f"account {p['account_id']}: {p['row']}: {p['problem']}" for p in problems]
    lines.append(
        f"{report.accounts} accounts, {report.entries} entries, {report.open_holds} open holds: "
        + ("all agree" if not problems else f"{len(problems)} mismatches")
    )
    emit(result, as_json, lines)
    if problems:
        sys.exit(1)
