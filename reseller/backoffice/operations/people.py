"""People and roles: who may do what, what guards their sign-in, and what an admin may do about it."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from flask import flash, redirect, request
from sqlalchemy import ColumnElement, true

from reseller.backoffice import cells, reasons
from reseller.backoffice.access import ADMINS, STAFF, actor, exposed, me, pages
from reseller.backoffice.filters import Choice, ListFilter, contains
from reseller.backoffice.tables import Formatter, TableView
from reseller.domain.accounts import Role, User
from reseller.domain.desk import people
from reseller.domain.desk.people import PersonLine
from reseller.domain.identity import linked, oversight, passwords, roles, sessions
from reseller.errors import InvalidRequest, NotFound
from reseller.web.formats import counted

EVERYBODY, STAFF_ONLY = "everybody", "staff"


def _has_role(role: str) -> ColumnElement[bool]:
    if role == EVERYBODY:
        return true()
    return User.role != Role.CUSTOMER if role == STAFF_ONLY else User.role == role


def _role(line: PersonLine) -> Any:
    return cells.tag(line.role, "info" if line.is_staff else "quiet")


def _second_factor(line: PersonLine) -> Any:
    if line.has_second_factor:
        return cells.tag("on", "good")
    return cells.tag("missing", "bad") if line.is_staff else cells.tag("off")


class People(TableView):
    access = pages(STAFF, "index_view") | pages(ADMINS, "details_view", "export", "change_role", "end_sessions", "reset_second_factor")
    confirmed = frozenset({"change_role", "reset_second_factor"})
    details_template = "operations/person.html"
    intro = "Members of staff. Choose a role, or look for an address, to see customers too."
    empty = "Nobody yet."
    column_list = ("email", "full_name", "role", "has_second_factor", "sessions", "seen_at", "created_at")
    column_export_list = ("id", "email", "full_name", "role", "has_second_factor", "sessions", "seen_at", "created_at")
    labels: ClassVar = {
        "id": "Id",
        "email": "E-mail",
        "full_name": "Name",
        "has_second_factor": "Second factor",
        "sessions": "Sessions",
        "seen_at": "Last seen",
        "created_at": "Since",
    }
    numeric = frozenset({"sessions"})
    cells: ClassVar[dict[str, Formatter]] = {"role": _role, "has_second_factor": _second_factor}
    column_filters = (
        Choice(
            "role",
            "Role",
            _has_role,
            options=[(STAFF_ONLY, "all staff"), *((role.value, role.value) for role in Role), (EVERYBODY, "everybody")],
        ),
        ListFilter("email", "E-mail", contains(User.email)),
    )

    def rows(self, filters: Mapping[str, str], *, after: str | None, limit: int) -> list[Any]:
        """Staff unless the filters ask for others: they are few among very many customers."""
        return super().rows(filters or {"role": STAFF_ONLY}, after=after, limit=limit)

    def shown(self, rows: list[Any]) -> list[Any]:
        return people.lines(rows)

    @exposed("/details/")
    def details_view(self) -> Any:
        line = self._line(request.args)
        return self.render(
            self.details_template,
            row=line,
            sessions=sessions.sessions_of(line.id),
            has_password=passwords.has_one(line.id),
            identities=linked.identities_of(line.id),
            roles=list(Role),
            is_me=line.id == me().user_id,
        )

    @exposed("/role/", methods=("POST",))
    def change_role(self) -> Any:
        line = self._line(request.form)
        version = request.form.get("version", "")
        try:
            role = Role(request.form.get("role", ""))
        except ValueError:
            raise InvalidRequest("There is no such role.") from None
        if not (version.isascii() and version.isdigit() and len(version) < 10):
            raise InvalidRequest("The form is not complete. Open the page again.")
        ended = roles.change_role(line.id, role, seen_version=int(version), actor=actor(), reason=reasons.reason_given())
        flash(f"{line.email} has the role {role} and signs in anew; {counted(ended, 'session')} ended.", "success")
        return self._back_to(line.id)

    @exposed("/end-sessions/", methods=("POST",))
    def end_sessions(self) -> Any:
        line = self._line(request.form)
        ended = oversight.end_sessions(line.id, actor=actor(), reason=reasons.reason_given())
        flash(f"{counted(ended, 'session')} ended.", "success")
        return self._back_to(line.id)

    @exposed("/reset-second-factor/", methods=("POST",))
    def reset_second_factor(self) -> Any:
        line = self._line(request.form)
        oversight.reset_second_factor(line.id, actor=actor(), reason=reasons.reason_given())
        flash(f"{line.email} sets up a new authenticator at the next sign-in.", "success")
        return self._back_to(line.id)

    def _line(self, given: Mapping[str, str]) -> PersonLine:
        line = self.get_one(given.get("id", ""))
        if line is None:
            raise NotFound("There is no such person.")
        assert isinstance(line, PersonLine)
        return line

    def _back_to(self, user_id: UUID) -> Any:
        return redirect(self.get_url(".details_view", id=user_id))
