"""Statements of months: the list, each as a page that prints well, and as CSV."""

import re
from collections.abc import Iterator
from datetime import date

from flask import Response, abort, render_template

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import company
from reseller.domain.ledger import statement
from reseller.domain.ledger.statement import Statement, StatementLine
from reseller.money import places_of, to_usd
from reseller.portal import acting
from reseller.portal.billing import words
from reseller.portal.billing.blueprint import billing
from reseller.portal.billing.book import csv_answer
from reseller.web.csv_text import csv_cells, csv_lines

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})", re.ASCII)
HEADINGS = ("date", "kind", "what", "note", "model", "calls", "prompt_tokens", "completion_tokens", "amount_usd", "balance_usd")


@billing.get("/billing/statements")
@acting.scoped
def statements() -> str:
    months = statement.months(acting.scope().account_id)
    places = places_of(nano for month in months for nano in (month.opening_nano, month.added_nano, month.used_nano))
    return render_template("portal/billing/statements.html", months=months, places=places)


@billing.get("/billing/statements/<month>")
@acting.scoped
def one_statement(month: str) -> str:
    account_id = acting.scope().account_id
    found = statement.of_month(account_id, _month(month))
    with transaction():
        return render_template(
            "portal/billing/statement.html",
            statement=found,
            places=places_of([found.opening_nano, *(nano for line in found.lines for nano in _amounts(line))]),
            addressee=company.of(account_id).addressee,
            account_id=account_id,
            at=now(),
            words=words,
        )


@billing.get("/billing/statements/<month>.csv")
@acting.scoped
def statement_csv(month: str) -> Response:
    """The statement's lines, a day of usage by model: opening balance and amounts add up to the closing balance."""
    found = statement.of_month(acting.scope().account_id, _month(month))
    return csv_answer(csv_lines(HEADINGS, _rows(found)), f"statement_{found.month:%Y-%m}.csv")


def _amounts(line: StatementLine) -> list[int]:
    return [line.amount_nano, *(part.charge_nano for part in line.by_model)]


def _rows(found: Statement) -> Iterator[list[str]]:
    yield csv_cells(found.month, "", "Opening balance", *[""] * 6, to_usd(found.opening_nano))
    for line in found.lines:
        yield from _rows_of(line)
    last_day = now().date() if found.is_running else found.last_day
    yield csv_cells(last_day, "", "Closing balance" + (", so far" if found.is_running else ""), *[""] * 6, to_usd(found.closing_nano))


def _rows_of(line: StatementLine) -> Iterator[list[str]]:
    head = (line.day, words.KINDS[line.kind], words.of_line(line), words.note_of(line))
    if not line.by_model:
        yield csv_cells(*head, "", "", "", "", to_usd(line.amount_nano), to_usd(line.balance_nano))
        return
    balance = line.balance_nano - line.amount_nano
    for part in line.by_model:
        balance -= part.charge_nano
        calls = (part.model or "(calls not kept any more)", part.calls, part.prompt_tokens, part.completion_tokens)
        yield csv_cells(*head, *calls, to_usd(-part.charge_nano), to_usd(balance))


def _month(given: str) -> date:
    """The first day of the month in the address; 404 for what is no month."""
    parts = _MONTH.fullmatch(given)
    try:
        return date(int(parts[1]), int(parts[2]), 1) if parts else abort(404)
    except ValueError:
        abort(404)
