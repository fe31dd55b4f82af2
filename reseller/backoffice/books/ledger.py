"""The ledger, to be read: every entry leads to what made it. Entries are posted by verbs of the domain and never edited."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from flask import url_for
from sqlalchemy import and_, text

from reseller.backoffice import cells
from reseller.backoffice.access import MONEY, STAFF, pages
from reseller.backoffice.filters import AccountIs, ActorIs, Choice, ListFilter, between_days
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain.desk import ledger_lines
from reseller.domain.desk.ledger_lines import LedgerLine
from reseller.domain.ledger import EntryKind, LedgerEntry
from reseller.domain.payments.reading import KINDS as PAYMENT_KINDS
from reseller.web.formats import viewer_days_of
from reseller.web.kinds import has_page

PAID_IN = "paid_in"
"""Entries of any of PAID_IN_KINDS, in the address of the list."""
PAID_IN_KINDS = (EntryKind.TOP_UP, EntryKind.REFUND, EntryKind.DISPUTE)
WORDS = {
    EntryKind.TOP_UP: "top-up",
    EntryKind.BONUS: "bonus",
    EntryKind.USAGE: "usage of a day",
    EntryKind.REFUND: "refund",
    EntryKind.DISPUTE: "dispute",
    EntryKind.ADJUSTMENT: "adjustment",
}
TONES = {EntryKind.TOP_UP: "good", EntryKind.REFUND: "warn", EntryKind.DISPUTE: "bad", EntryKind.ADJUSTMENT: "info"}
NOT_USAGE = text("ledger_entries.kind <> 'usage'")  # word for word the condition of the index of money entries

SETTLEMENT = "system:settlement"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

_READS = pages(STAFF, "index_view", "details_view") | pages(MONEY, "export")


def _is_kind(kind: str) -> Any:
    if kind == PAID_IN:
        return and_(NOT_USAGE, LedgerEntry.kind.in_(PAID_IN_KINDS))
    return LedgerEntry.kind == kind if kind == EntryKind.USAGE else and_(NOT_USAGE, LedgerEntry.kind == kind)


def _kinds(kinds: Sequence[EntryKind]) -> Choice:
    return Choice("kind", "Kind", _is_kind, options=[*((kind, WORDS[kind]) for kind in kinds), (PAID_IN, "paid in, less what went back")])


_REFERENCE = ListFilter("reference", "Reference", lambda words: and_(LedgerEntry.kind.in_(list(EntryKind)), LedgerEntry.reference == words))


class PostedBy(ActorIs):
    """Days of usage are posted by the settlement alone: for anybody else only the few entries of money are looked through."""

    def apply(self, query: Any, value: str) -> Any:
        found = super().apply(query, value)
        return found if value.strip() == SETTLEMENT else found.where(NOT_USAGE)


def source_of(line: LedgerLine) -> str | None:
    """The page that shows what made this entry; None where there is none."""
    if line.adjustment_id is not None and has_page("adjustments.index"):
        next_greater = UUID(int=line.adjustment_id.int + 1)  # pages go on below a key: the adjustment stands on top
        return url_for("adjustments.index", state="", after=next_greater)
    if line.usage_day is not None and has_page("calls.index_view"):
        return url_for("calls.index_view", account=line.account_id, **viewer_days_of(line.usage_day))
    payment_id = line.reference.partition(":")[0]
    if line.kind in PAYMENT_KINDS and _UUID.fullmatch(payment_id):
        return url_for("payments.details_view", id=payment_id)
    return None


def _kind(line: LedgerLine) -> Any:
    kind = EntryKind(line.kind)
    return cells.tag(WORDS[kind], TONES.get(kind, "quiet"))


def _corrects(line: LedgerLine) -> Any:
    return line.corrects_id and cells.link(url_for("ledger.details_view", id=line.corrects_id), str(line.corrects_id))


def _reference(line: LedgerLine) -> Any:
    href = source_of(line)
    if line.usage_day is None:
        return cells.ident(line.reference, href)
    words = f"calls of {line.usage_day} (UTC)"
    return cells.link(href, words) if href else words


class Ledger(TableView):
    access = _READS
    intro = "Every movement of customers’ money, newest first. Entries are only ever added; a mistake is corrected by another entry."
    empty = "No money has moved yet."
    column_list = ("created_at", "account_name", "kind", "amount_usd", "balance_after_usd", "reference", "reason", "actor_name")
    column_details_list = ("id", *column_list, "sequence", "corrects_id")
    column_export_list = (
        "created_at", "account_id", "account_name", "sequence", "kind", "amount_usd", "balance_after_usd", "reference", "reason", "actor",
        "actor_name", "id", "corrects_id",
    )  # fmt: skip
    labels: ClassVar = {
        "created_at": "Time",
        "account_id": "Account id",
        "account_name": "Account",
        "amount_usd": "Amount",
        "balance_after_usd": "Balance after",
        "actor": "Actor",
        "actor_name": "By whom",
        "id": "Entry",
        "corrects_id": "Corrects",
        "sequence": "Number in the account",
    }
    numeric = frozenset({"amount_usd", "balance_after_usd", "sequence"})
    cells: ClassVar[dict[str, Formatter]] = {
        "account_name": lambda line: cells.account(line.account_id, line.account_name),
        "kind": _kind,
        "amount_usd": lambda line: cells.money(line.amount_usd),
        "balance_after_usd": lambda line: cells.money(line.balance_after_usd),
        "reference": _reference,
        "corrects_id": _corrects,
    }
    column_filters: ClassVar[tuple[ListFilter, ...]] = (
        _kinds(list(EntryKind)),
        AccountIs(LedgerEntry.account_id),
        *between_days(LedgerEntry.id, LedgerEntry.created_at),
        _REFERENCE,
        PostedBy(LedgerEntry.actor),
    )

    def shown(self, rows: list[Any]) -> list[Any]:
        return ledger_lines.lines(rows)
