"""/usage/calls: the account's calls, newest first, as a list and as CSV."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from flask import Response, flash, render_template, request, stream_with_context, url_for
from sqlalchemy import ColumnElement, text

from reseller.clock import now
from reseller.database import acting_for
from reseller.domain import usage
from reseller.domain.desk import call_list
from reseller.domain.desk.call_list import CallLine, Wanted
from reseller.domain.usage import CallStatus, UsageLog, dropping, points
from reseller.domain.usage.tables import ERRORS
from reseller.errors import NotFound
from reseller.portal import acting
from reseller.portal.usage import choices as choosing
from reseller.portal.usage.blueprint import own_usage
from reseller.portal.usage.choices import KINDS, Filters
from reseller.portal.usage.words import STATUS
from reseller.web.csv_text import csv_cells, csv_lines, pause
from reseller.web.formats import viewer_zone
from reseller.wiring import wiring

PAGE_ROWS = 50
EXPORT_SLICE, EXPORT_ROWS = 1_000, 100_000
WENT_WRONG = "errors"
IN_INDEX = (CallStatus.REFUSED, CallStatus.FAILED, CallStatus.PARTIAL, CallStatus.VOIDED)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 30)

HEADINGS = (
    "date", "request_id", "status", "error_code", "key", "model", "endpoint", "is_test", "is_stream", "prompt_tokens", "completion_tokens",
    "held_usd", "charge_usd", "milliseconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, and the arguments that say so again. `hour` is within the one day of `first` and `last`."""

    filters: Filters
    first: date | None
    last: date | None
    hour: int | None
    outcome: str | None
    args: dict[str, Any]

    def wanted(self, account_id: UUID) -> Wanted:
        """As the list of calls is asked."""
        since, until = self._span()
        return Wanted(tuple(self._conditions()), account_id, since, until, is_indexed=self.outcome in (WENT_WRONG, *IN_INDEX))

    def _span(self) -> tuple[datetime | None, datetime | None]:
        zone = viewer_zone()
        if self.hour is not None and self.first is not None:
            local = datetime.combine(self.first, time(self.hour))
            begins, ends = (at.replace(tzinfo=zone).astimezone(UTC) for at in (local, local + points.HOUR))
            return begins, ends
        since = points.start_of(self.first, zone) if self.first else None
        return since, points.start_of(self.last + timedelta(days=1), zone) if self.last else None

    def _conditions(self) -> Iterator[ColumnElement[bool]]:
        if self.filters.model:
            yield UsageLog.model == self.filters.model
        if self.filters.key_id:
            yield UsageLog.api_key_id == self.filters.key_id
        if self.filters.kind:
            yield UsageLog.is_test.is_(KINDS[self.filters.kind])
        if self.outcome == WENT_WRONG:
            yield text(ERRORS)  # type: ignore[misc]
        elif self.outcome:
            yield UsageLog.status == self.outcome


@own_usage.get("/usage/calls")
@acting.scoped
def list_calls() -> str:
    asked, after = _asked(), _cursor()
    account_id = acting.scope().account_id
    return render_template(
        "portal/usage/calls.html",
        asked=asked,
        found=call_list.find(asked.wanted(account_id), after=after, limit=PAGE_ROWS),
        after=after,
        kept_since=dropping.kept_since(),
        keys=usage.labels_of_keys(account_id),
        outcomes={WENT_WRONG: "anything that went wrong"} | {status: words.name for status, words in STATUS.items()},
        status_words=STATUS,
        export=url_for("own_usage.export_calls", **asked.args),
    )


@own_usage.get("/usage/calls.csv")
@acting.scoped
def export_calls() -> Response:
    """The calls that the filters leave, as CSV, slice by slice."""
    account_id = acting.scope().account_id
    rows = _slices(_asked().wanted(account_id), account_id, usage.labels_of_keys(account_id))
    disposition = f'attachment; filename="calls_{now():%Y-%m-%d_%H-%M-%S}.csv"'
    lines = stream_with_context(csv_lines(HEADINGS, rows, most=EXPORT_ROWS))
    return Response(lines, mimetype="text/csv", headers={"Content-Disposition": disposition})


def _slices(wanted: Wanted, account_id: UUID, keys: dict[UUID, str]) -> Iterator[list[str]]:
    """As far as there are calls, however long the search for them takes."""
    after = None
    while True:
        pause()
        with wiring().reader.reports(), acting_for(account_id):
            found = call_list.find(wanted, after=after, limit=EXPORT_SLICE)
        yield from (_cells(call, keys) for call in found.calls)
        if found.older is None:
            return
        after = found.older


def _cells(call: CallLine, keys: dict[UUID, str]) -> list[str]:
    key = keys.get(call.api_key_id, str(call.api_key_id))
    cells = (
        call.created_at, usage.request_id(call.id), call.status, call.error_code, key, call.model, f"/v1{call.endpoint}", call.is_test,
        call.is_stream, call.prompt_tokens, call.completion_tokens, call.hold_usd, call.charge_usd, call.ended_ms,
    )  # fmt: skip
    return csv_cells(*cells)


def _asked() -> Asked:
    """What the address asks for; days that cannot be are told and left out. Raises NotFound for a key that is not the account's."""
    filters = choosing.filters()
    first, last = _day("from"), _day("to")
    if first and last and first > last:
        flash("The first day is after the last one. Showing all days.", "error")
        first = last = None
    outcome = request.args.get("status") or None
    outcome = outcome if outcome == WENT_WRONG or outcome in set(STATUS) else None
    hour = _hour() if first and first == last else None
    named = {"from": first, "to": last, "hour": None if hour is None else f"{hour:02}", "status": outcome}
    given = {name: str(value) for name, value in named.items() if value is not None}
    return Asked(filters, first, last, hour, outcome, filters.args | given)


def _hour() -> int | None:
    given = request.args.get("hour", "")
    return int(given) if re.fullmatch("[01]?[0-9]|2[0-3]", given, re.ASCII) else None


def _day(name: str) -> date | None:
    given = request.args.get(name)
    if not given:
        return None
    try:
        day = date.fromisoformat(given.strip())
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValueError(given)
        return day
    except ValueError:
        flash(f"“{name}” is a day such as 2026-11-22. It was left out.", "error")
        return None


def _cursor() -> UUID | None:
    given = request.args.get("after")
    if not given:
        return None
    call_id = usage.call_id_of(given)
    if call_id is None:
        raise NotFound("There is no such page of the list.")
    return call_id
