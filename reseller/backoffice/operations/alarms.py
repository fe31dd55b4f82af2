"""Alarms: what is wrong now, what it means and what to do, who looks after it; below it what was."""

from typing import Any, ClassVar
from uuid import UUID

from flask import flash, redirect, request
from sqlalchemy import Select, select

from reseller.backoffice import reasons
from reseller.backoffice.access import STAFF, actor, exposed, pages
from reseller.backoffice.filters import Choice, ListFilter, between_days
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain import alarms
from reseller.domain.alarms import ALARMS, Alarm, meaning_of
from reseller.domain.alarms.keeping import CLOCK
from reseller.domain.calls import processes
from reseller.domain.desk import actors
from reseller.wiring import wiring


class Alarms(TableView):
    access = pages(STAFF, "index_view", "export", "acknowledge", "end")
    can_view_details = False
    list_template = "operations/alarms.html"
    empty = "Nothing has gone wrong so far."
    column_list = ("alarm", "subject", "words", "times", "first_seen_at", "cleared_at", "ended_by", "note")
    column_export_list = ("id", *column_list, "last_seen_at", "acknowledged_at", "acknowledged_by", "cleared_by")
    labels: ClassVar = {
        "alarm": "What", "subject": "About", "words": "Seen", "times": "Times", "first_seen_at": "From", "cleared_at": "To",
        "ended_by": "Ended by", "note": "Note",
    }  # fmt: skip
    numeric = frozenset({"times"})
    cells: ClassVar[dict[str, Formatter]] = {
        "alarm": lambda row: meaning_of(row.alarm).title,
        "times": lambda row: f"{row.times:,}",
    }
    exports: ClassVar[dict[str, Formatter]] = {"alarm": lambda row: row.alarm, "times": lambda row: row.times}
    column_filters: ClassVar[tuple[ListFilter, ...]] = (
        Choice("alarm", "What", lambda name: Alarm.alarm == name, options=[(name, each.title) for name, each in ALARMS.items()]),
        ListFilter("subject", "About", lambda words: Alarm.subject == words),
        *between_days(Alarm.id, Alarm.first_seen_at),
    )

    def query(self) -> Select[Any]:
        return select(self.model).where(Alarm.cleared_at.is_not(None))

    def shown(self, rows: list[Any]) -> list[Any]:
        names = actors.names_of(row.cleared_by for row in rows if row.cleared_by)
        for row in rows:
            row.ended_by = "itself" if row.cleared_by == CLOCK else names.get(row.cleared_by)
        return rows

    def list_extras(self, rows: list[Any]) -> dict[str, Any]:  # noqa: ARG002
        """What lasts stands above the first page of what was."""
        is_first = not request.args.get("after")
        open_alarms = alarms.open_alarms() if is_first else []
        settings = wiring().settings
        return {
            "is_first": is_first,
            "open_alarms": open_alarms,
            "pages": {f"{view.url}/": view.name for view in self.admin._views},
            "names": actors.names_of(each.acknowledged_by for each in open_alarms if each.acknowledged_by),
            "has_worker": processes.is_any_alive("worker"),
            "emails": settings.alert_emails,
            "webhook": settings.operator_alert_webhook,
            "webhook_trouble": alarms.webhook_trouble() if settings.operator_alert_webhook else None,
        }

    @exposed("/<uuid:alarm_id>/acknowledge/", methods=("POST",))
    def acknowledge(self, alarm_id: UUID) -> Any:
        """Everybody sees who looks after it."""
        alarms.acknowledge(alarm_id, actor=actor(), note=reasons.reason_given())
        flash("You look after it.", "success")
        return redirect(self.get_url(".index_view"))

    @exposed("/<uuid:alarm_id>/end/", methods=("POST",))
    def end(self, alarm_id: UUID) -> Any:
        """It is over because somebody says so."""
        alarms.end(alarm_id, actor=actor(), note=reasons.reason_given())
        flash("It is over. Seen again, it is a new one.", "success")
        return redirect(self.get_url(".index_view"))
