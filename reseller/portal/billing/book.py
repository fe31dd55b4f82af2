"""The account's book: what there is, every movement, and for each what made it."""

import re
from collections.abc import Iterator
from uuid import UUID

from flask import Response, abort, render_template, request, stream_with_context, url_for

from reseller.clock import now
from reseller.database import acting_for, transaction
from reseller.domain import ledger
from reseller.domain.ledger import EntryKind, history, statement
from reseller.domain.ledger.history import EntryLine, Unposted
from reseller.domain.payments import reading
from reseller.domain.usage.pace import pace_of
from reseller.money import places_of, to_usd
from reseller.portal import acting, outlook
from reseller.portal.billing import words
from reseller.portal.billing.blueprint import billing
from reseller.portal.billing.offered import buying_of
from reseller.web.csv_text import csv_cells, csv_lines
from reseller.web.formats import viewer_days_of
from reseller.web.kinds import has_page
from reseller.web.typed import typed_id
from reseller.wiring import wiring

PAGE = 50
_PLACE = re.compile(r"[0-9]{1,18}", re.ASCII)
HEADINGS = ("date", "kind", "what", "note", "amount_usd", "balance_usd", "entry")


@billing.get("/billing")
@acting.scoped
def show() -> str:
    account_id, kind = acting.scope().account_id, _kind()
    before = _place(request.args.get("after", ""))
    with transaction():
        found = history.entries(account_id, kind=kind, before=before, limit=PAGE + 1)
        is_on_top = before is None and kind in (None, EntryKind.USAGE)
        running = history.unposted(account_id) if is_on_top else None
        shown: list[EntryLine | Unposted] = [*found, *([running] if running else [])]
        return render_template(
            "portal/billing/show.html",
            balance=(balance := ledger.balance_now(account_id)),
            reversal=reading.last_reversal(account_id) if balance.available_nano < 0 else None,
            outlook=outlook.in_words(balance.available_nano, pace_of(account_id)),
            top_up_url=wiring().settings.brand_top_up_url,
            buying=buying_of(account_id, request.args.get("amount", "")),
            entries=found[:PAGE],
            running=running,
            places=places_of(nano for line in shown for nano in (line.amount_nano, line.balance_after_nano)),
            after=request.args.get("after"),
            older=str(found[PAGE - 1].sequence) if len(found) > PAGE else None,
            kind=kind,
            every_kind=[(None, "All"), *words.PLURALS.items()],
            words=words,
        )


@billing.get("/billing/entries.csv")
@acting.scoped
def export() -> Response:
    """Every movement that the filter leaves, newest first: amounts add up to the balance."""
    account_id, kind = acting.scope().account_id, _kind()
    running = history.unposted(account_id) if kind in (None, EntryKind.USAGE) else None
    name = f"ledger_{now():%Y-%m-%d}.csv"
    return csv_answer(csv_lines(HEADINGS, _rows(account_id, kind, running)), name)


@billing.get("/billing/entries/<entry_id>")
@acting.scoped
def entry(entry_id: str) -> str:
    """One movement and what made it; 404 for another account's (R23)."""
    account_id = acting.scope().account_id
    with transaction():
        line = history.entry_of(account_id, typed_id(entry_id))
        parts = () if line.usage_day is None else statement.charges_of_day(account_id, line.usage_day, line.charged_nano)
        amounts = (line.amount_nano, line.balance_after_nano, *(part.charge_nano for part in parts))
        return render_template(
            "portal/billing/entry.html",
            line=line,
            places=places_of(amounts),
            parts_of_day=parts,
            calls_href=_calls_of(line),
            payment_id=reading.of_entry(line, account_id),
            words=words,
        )


def _calls_of(line: EntryLine) -> str | None:
    """The calls of the viewer's days that the UTC day touches."""
    if line.usage_day is None or not has_page("own_usage.list_calls"):
        return None
    return url_for("own_usage.list_calls", **viewer_days_of(line.usage_day))


def csv_answer(lines: Iterator[str], name: str) -> Response:
    """A file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(stream_with_context(lines), mimetype="text/csv", headers=headers)


def _rows(account_id: UUID, kind: EntryKind | None, running: Unposted | None) -> Iterator[list[str]]:
    """Read while they are sent, when the page has long returned: each slice says again for whom."""
    if running is not None:
        title = f"{words.title_of(EntryKind.USAGE, 0, running.usage_day)}, so far"
        yield csv_cells(
            running.usage_day, words.KINDS[EntryKind.USAGE], title, "", to_usd(running.amount_nano), to_usd(running.balance_after_nano), ""
        )
    entries = history.all_entries(account_id, kind=kind)
    while (line := _next_of(entries, account_id)) is not None:
        facts = (line.at, words.KINDS[line.kind], words.of_entry(line), words.note_of(line))
        yield csv_cells(*facts, to_usd(line.amount_nano), to_usd(line.balance_after_nano), line.id)


def _next_of(entries: Iterator[EntryLine], account_id: UUID) -> EntryLine | None:
    with acting_for(account_id):
        return next(entries, None)


def _kind() -> EntryKind | None:
    """The kind asked for; None for all, and for what is no kind."""
    given = request.args.get("kind", "")
    return EntryKind(given) if given in list(EntryKind) else None


def _place(given: str) -> int | None:
    if not given:
        return None
    if not _PLACE.fullmatch(given):
        abort(404)
    return int(given)
