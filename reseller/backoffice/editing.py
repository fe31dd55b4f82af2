"""Lists whose rows staff add, change and delete: through domain verbs, and the second of two editors learns about the first."""

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, request
from flask_admin.form import BaseForm
from wtforms import HiddenField

from reseller.backoffice.access import exposed
from reseller.backoffice.tables import TableView
from reseller.errors import Conflict, InvalidRequest, NotFound, Refusal

MAX_VERSION_DIGITS = 9


class VersionedForm(BaseForm):  # type: ignore[misc]
    """A form that remembers which version of the row it was filled from."""

    version = HiddenField()

    def seen_version(self) -> int:
        """The version the editor looked at. Raises Conflict if the form does not say."""
        return version_of(str(self.version.data or ""), "The form does not say which version it was filled from. Open the page again.")


def version_given(words: str) -> int:
    """The version that the sent form was made of. Raises Conflict with these words if it does not say."""
    return version_of(request.form.get("version", ""), words)


def version_of(text: str, words: str) -> int:
    """Raises Conflict with these words for what is no version."""
    if not text.isascii() or not text.isdigit() or len(text) > MAX_VERSION_DIGITS:
        raise Conflict(words)
    return int(text)


class EditableTable(TableView):
    """Rows that staff add, change and delete through domain verbs: override `add`, `change`, `remove` and set `form`."""

    form = VersionedForm

    def add(self, form: Any) -> None:
        """A row of what the form says exists. Raises Refusal."""
        raise NotFound("Rows are not added here.")

    def change(self, row: Any, form: Any) -> None:
        """The row is what the form says; Conflict if `form.seen_version()` is not the row's. Raises Refusal."""
        raise NotFound("Rows are not changed here.")

    def remove(self, row: Any) -> None:
        """The row is gone. Raises Refusal."""
        raise NotFound("Rows are not deleted here.")

    @exposed("/new/", methods=("GET", "POST"))
    def create_view(self) -> Any:
        return self._form_page(self.create_template, self.form(), None, self.add)

    @exposed("/edit/", methods=("GET", "POST"))
    def edit_view(self) -> Any:
        row = self.get_one(request.args.get("id", ""))
        if row is None:
            raise NotFound("There is no such row.")
        form = self.form(obj=row)
        return self._form_page(self.edit_template, form, row, lambda filled: self.change(row, filled))

    @exposed("/delete/", methods=("POST",))
    def delete_view(self) -> Any:
        row = self.get_one(request.form.get("id", ""))
        if row is None:
            raise NotFound("There is no such row.")
        self.remove(row)
        flash("Deleted.", "success")
        return redirect(self.get_url(".index_view"))

    def _form_page(self, template: str, form: Any, row: Any, save: Callable[[Any], None]) -> Any:
        """The form; after a good one the list. What the domain refuses stays on the form, with what was typed."""
        status = 200
        if request.method == "POST":
            form = self.form(request.form)
            if form.validate():
                try:
                    save(form)
                    flash("Saved.", "success")
                    return redirect(self.get_url(".index_view"))
                except (Conflict, InvalidRequest) as refusal:
                    put_on_form(form, refusal)
                    status = 409 if isinstance(refusal, Conflict) else 400
            else:
                status = 400
        return self.render(template, form=form, row=row), status


def put_on_form(form: Any, refusal: Refusal) -> None:
    """The refusal stands at the field it is about, or above the form."""
    field = form._fields.get(refusal.param or "")
    if field is not None:
        field.errors = [*field.errors, refusal.message]
    else:
        flash(refusal.message, "conflict" if isinstance(refusal, Conflict) else "error")
