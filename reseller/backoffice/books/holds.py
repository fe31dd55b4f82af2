"""Money reserved for calls in flight, the oldest on top: what stays there long is worth a look."""

from typing import Any, ClassVar

from reseller.backoffice import cells
from reseller.backoffice.access import MONEY, STAFF, pages
from reseller.backoffice.filters import AccountIs, ListFilter, wildcard
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain.desk import open_holds
from reseller.domain.desk.open_holds import HoldLine, Waits
from reseller.domain.ledger import Hold
from reseller.domain.usage import request_id

_WORDS = {
    Waits.ANSWER: ("answer under way", "good"),
    Waits.COST: ("waiting for its cost", "warn"),
    Waits.RECOVERY: ("process silent", "bad"),
}


def _waits_for(line: HoldLine) -> Any:
    return cells.tag(*_WORDS[line.waits_for])


class Holds(TableView):
    access = pages(STAFF, "index_view") | pages(MONEY, "export")
    can_view_details = False  # a hold is a call: its page tells everything
    intro = (
        "A hold ends with its call. When a process dies its calls are ended within a minute;"
        " when a cost is missing the upstream is asked for it."
    )
    empty = "No call is in flight."
    is_ascending = True
    column_list = ("id", "account_name", "model", "amount_usd", "age", "waits_for", "process", "chase_attempts", "chase_at")
    column_export_list = (
        "id", "created_at", "account_id", "account_name", "model", "upstream", "amount_usd", "is_test", "waits_for", "process",
        "chase_attempts", "chase_at",
    )  # fmt: skip
    labels: ClassVar = {
        "id": "Call",
        "created_at": "Time",
        "account_id": "Account id",
        "account_name": "Account",
        "amount_usd": "Held",
        "waits_for": "State",
        "chase_attempts": "Asked",
        "chase_at": "Asked again",
        "is_test": "Test",
    }
    numeric = frozenset({"amount_usd", "age", "chase_attempts"})
    cells: ClassVar[dict[str, Formatter]] = {
        "id": lambda line: cells.call(line.id),
        "account_name": lambda line: cells.account(line.account_id, line.account_name),
        "amount_usd": lambda line: cells.money(line.amount_usd),
        "age": lambda line: cells.span(line.age),
        "waits_for": _waits_for,
    }
    exports: ClassVar[dict[str, Formatter]] = {"id": lambda line: request_id(line.id)}
    column_filters = (AccountIs(Hold.account_id), ListFilter("model", "Model (* for any)", wildcard(Hold.model)))

    def shown(self, rows: list[Any]) -> list[Any]:
        return open_holds.lines(rows)
