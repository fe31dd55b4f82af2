"""Calls: the list, and one call with its story: why it was charged, or why it was refused."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from uuid import UUID

from flask import redirect, request
from flask_admin.base import BaseView
from sqlalchemy import ColumnElement, select

from reseller.backoffice.access import STAFF, exposed, pages
from reseller.backoffice.filters import AccountIs, Choice, Day, ListFilter, equals, wildcard
from reseller.backoffice.tables import EXPORT_SLICE, PAGE_ROWS, TableView
from reseller.database import acting_as_operator, transaction
from reseller.domain.desk import call_list, call_story, naming
from reseller.domain.desk.call_list import CallLine, Wanted
from reseller.domain.desk.call_story import FLAGS
from reseller.domain.keys import ApiKey
from reseller.domain.usage import CallStatus, UsageLog, call_id_of, dropping, request_id
from reseller.errors import NotFound
from reseller.web.csv_text import pause

ANY_FLAG = "any"
INDEXED = ("code", "flag")  # partial indexes hold what these leave


def _flag(value: str) -> ColumnElement[bool]:
    return UsageLog.flag.is_not(None) if value == ANY_FLAG else UsageLog.flag == value


class Calls(TableView):
    """Every call of every account, refused ones too; newest first."""

    access = pages(STAFF, "index_view", "export", "show", "find")
    can_view_details = False  # one call has a page of its own
    column_list = (
        "created_at", "id", "status", "error_code", "flag", "account_name", "account_id", "key_prefix", "model", "upstream", "endpoint",
        "is_test", "is_stream", "prompt_tokens", "completion_tokens", "ended_ms", "hold_usd", "cost_usd", "charge_usd",
    )  # fmt: skip
    list_template = "calls/list.html"
    exports: ClassVar[Mapping[str, Any]] = {"id": lambda call: request_id(call.id)}
    intro = "Every call, refused ones too. Open one to see why it was charged, or why it was refused."
    empty = "No call has been made yet."
    column_filters = (
        AccountIs(UsageLog.account_id, label="Account id or e-mail"),
        ListFilter("key", "Key (prefix or id)", equals(UsageLog.api_key_id)),
        ListFilter("model", "Model (* any)", wildcard(UsageLog.model)),
        Choice("status", "Status", equals(UsageLog.status), options=[(status.value, status.value) for status in CallStatus]),
        ListFilter("code", "Error code", equals(UsageLog.error_code)),
        Choice("flag", "Flag", _flag, options=[(ANY_FLAG, "any flag"), *((flag, flag.replace("_", " ")) for flag in FLAGS)]),
        ListFilter("upstream", "Upstream", equals(UsageLog.upstream)),
        Choice("keys", "Kind of key", lambda kind: UsageLog.is_test.is_(kind == "test"), options=[("live", "live"), ("test", "test")]),
        Day("from", "From", equals(UsageLog.created_at)),
        Day("to", "To", equals(UsageLog.created_at), is_end=True),
    )

    @exposed("/")
    def index_view(self) -> str:
        """One page of the list."""
        filters = self._filters_given()
        after = request.args.get("after") or None
        found = call_list.find(wanted(filters), after=self.cursor(after) if after else None, limit=PAGE_ROWS)
        return str(
            self.render(self.list_template, found=found, filters=filters, after=after, older=found.older, kept_since=dropping.kept_since())
        )

    @exposed("/find/")
    def find(self) -> Any:
        """The call whose id is asked for, in any shape customers see it."""
        return redirect(self.get_url(".show", call_id=request_id(_named(request.args.get("id", "")))))

    @exposed("/<string(minlength=32):call_id>/")
    def show(self, call_id: str) -> str:
        """One call with its story."""
        named = _named(call_id)
        return str(self.render("calls/show.html", call=call_story.story_of(named), shown_id=request_id(named)))

    def _slices(self, filters: Mapping[str, str]) -> Iterator[CallLine]:
        """For CSV: as far as there are calls, however long the search for them takes."""
        after = None
        while True:
            pause()
            with acting_as_operator():
                found = call_list.find(wanted(filters), after=after, limit=EXPORT_SLICE)
            yield from found.calls
            if found.older is None:
                return
            after = found.older


def _named(shown_id: str) -> UUID:
    """The call with this id, in any shape. Raises NotFound for what is no such id."""
    call_id = call_id_of(shown_id)
    if call_id is None:
        raise NotFound("That is no id of a call. They look like req_ and 32 characters, or chatcmpl- and the same.")
    return call_id


def wanted(filters: Mapping[str, str]) -> Wanted:
    """What the filters of the list ask for. They are known to mean something."""
    by_arg = {each.arg: each for each in Calls.column_filters}
    accounts = naming.accounts_named(filters["account"].strip()) if "account" in filters else []
    conditions = [by_arg[arg]._where(by_arg[arg].clean(filters[arg])) for arg in filters if arg not in ("account", "key", "from", "to")]
    owners = set(accounts)
    if "key" in filters:
        keys = _keys_named(filters["key"])
        conditions.append(UsageLog.api_key_id.in_(keys))
        owners |= set(keys.values())
    if "account" in filters and len(owners) != 1:
        conditions.append(UsageLog.account_id.in_(accounts))
    return Wanted(
        conditions=tuple(conditions),
        account_id=next(iter(owners)) if len(owners) == 1 else None,  # the account's index finds the calls of its keys
        since=by_arg["from"].clean(filters["from"]) if "from" in filters else None,
        until=by_arg["to"].clean(filters["to"]) if "to" in filters else None,
        is_indexed=any(arg in filters for arg in INDEXED) or filters.get("status", CallStatus.COMPLETED) != CallStatus.COMPLETED,
    )


def _keys_named(text: str) -> dict[UUID, UUID]:
    """Key → account for the keys with this id, or whose prefix begins like this."""
    shown = text.strip().rstrip("…")
    try:
        named = ApiKey.id == UUID(shown)
    except ValueError:
        named = ApiKey.key_prefix.startswith(shown, autoescape=True)
    with transaction() as session:
        found = session.execute(select(ApiKey.id, ApiKey.account_id).where(named).limit(100))
        return {row.id: row.account_id for row in found}


VIEWS: tuple[Callable[[], BaseView], ...] = (lambda: Calls(UsageLog, name="Calls", endpoint="calls"),)
