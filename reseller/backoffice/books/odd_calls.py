"""Overage and marks: calls that cost us money or carry a mark."""

from typing import Any, ClassVar

from markupsafe import Markup
from sqlalchemy import Select, select, text

from reseller.backoffice import cells
from reseller.backoffice.access import MONEY, STAFF, pages
from reseller.backoffice.filters import AccountIs, Choice, between_days
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain.desk import odd_calls
from reseller.domain.desk.call_story import FLAGS
from reseller.domain.desk.odd_calls import OddCall
from reseller.domain.usage import UsageLog, request_id
from reseller.domain.usage.tables import TO_LOOK_AT

BAD = frozenset({"overage", "usage_invalid", "details_lost", "process_lost"})


def _flag(line: OddCall) -> Any:
    if line.flag is None:
        return None
    shown = cells.tag(line.flag.replace("_", " "), "bad" if line.flag in BAD else "warn")
    return Markup('<span title="{}">{}</span>').format(FLAGS.get(line.flag, ""), shown)


class OddCalls(TableView):
    access = pages(STAFF, "index_view") | pages(MONEY, "export")
    can_view_details = False  # a call has a page of its own
    list_template = "books/odd_calls.html"
    empty = "No call has cost more than was held, and none is marked."
    column_list = ("id", "created_at", "account_name", "model", "status", "flag", "cost_usd", "hold_usd", "charge_usd", "overage_loss_usd")
    column_export_list = ("id", "created_at", "account_id", "account_name", *column_list[3:])
    labels: ClassVar = {
        "id": "Call",
        "created_at": "Time",
        "account_id": "Account id",
        "account_name": "Account",
        "flag": "Why it is here",
        "cost_usd": "Cost",
        "hold_usd": "Held",
        "charge_usd": "Charge",
        "overage_loss_usd": "Our loss",
    }
    numeric = frozenset({"cost_usd", "hold_usd", "charge_usd", "overage_loss_usd"})
    cells: ClassVar[dict[str, Formatter]] = {
        "id": lambda line: cells.call(line.id),
        "account_name": lambda line: cells.account(line.account_id, line.account_name),
        "status": lambda line: cells.status(line.status),
        "flag": _flag,
        "cost_usd": lambda line: cells.money(line.cost_usd),
        "hold_usd": lambda line: cells.money(line.hold_usd),
        "charge_usd": lambda line: cells.money(line.charge_usd),
        "overage_loss_usd": lambda line: cells.money(line.overage_loss_usd),
    }
    exports: ClassVar[dict[str, Formatter]] = {"id": lambda line: request_id(line.id)}
    column_filters = (
        Choice("flag", "Why", lambda flag: UsageLog.flag == flag, options=[(flag, flag.replace("_", " ")) for flag in FLAGS]),
        AccountIs(UsageLog.account_id),
        *between_days(UsageLog.id, UsageLog.created_at),
    )

    def query(self) -> Select[Any]:
        return select(UsageLog).where(text(f"({TO_LOOK_AT})"))

    def shown(self, rows: list[Any]) -> list[Any]:
        return odd_calls.lines(rows)

    def list_extras(self, rows: list[Any]) -> dict[str, Any]:
        return {"loss": odd_calls.recent_loss(), "days": odd_calls.SUM_DAYS}
