"""The form of a pricing rule, as a draft to be tested and as what is published. Numbers are read as strictly as money."""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

from wtforms import Form, HiddenField, StringField

from reseller.database import transaction
from reseller.domain import accounts
from reseller.domain.accounts import Account
from reseller.domain.pricing import RuleTerms
from reseller.errors import InvalidRequest, NotFound
from reseller.money import parse_usd

_WHOLE = re.compile(r"-?[0-9]{1,7}", re.ASCII)


class DraftForm(Form):  # type: ignore[misc]
    """A rule that somebody thinks about. All of it travels in the address, so that a test can be shown to a colleague."""

    pattern = StringField("Models", description="The name, or a pattern: * any characters, ? one", render_kw={"maxlength": 200})
    markup = StringField("Markup, %", render_kw={"inputmode": "decimal", "maxlength": 20})
    min_cost = StringField("Minimum a call, $", default="0", render_kw={"inputmode": "decimal", "maxlength": 20})
    priority = StringField(
        "Priority", default="0", description="The highest number wins", render_kw={"inputmode": "numeric", "maxlength": 8}
    )
    scope = StringField("Only for", description="An account's id or e-mail; empty: everybody", render_kw={"maxlength": 200})
    replaces = HiddenField()

    @property
    def is_given(self) -> bool:
        """Whether there is a draft at all."""
        return bool(self.pattern.data)

    def terms(self) -> RuleTerms:
        """What the form says. Raises InvalidRequest that names the field."""
        return RuleTerms(
            model_pattern=(self.pattern.data or "").strip(),
            markup_percent=_decimal(self.markup.data, "markup"),
            min_cost_usd=_decimal(self.min_cost.data or "0", "min_cost"),
            priority=_whole(self.priority.data or "0"),
            account_id=account_named(self.scope.data, param="scope"),
        )

    def replaced(self) -> UUID | None:
        """The rule that this one is to stand in for."""
        try:
            return UUID(self.replaces.data) if self.replaces.data else None
        except ValueError:
            raise NotFound("There is no such pricing rule.") from None

    def as_query(self) -> dict[str, Any]:
        """The draft as parts of an address."""
        return {field.name: field.data for field in self if field.data}


def account_named(text: str | None, *, param: str) -> UUID | None:
    """The account with this id or of the person with this address; None for nothing. Raises InvalidRequest that names the field."""
    named = (text or "").strip()
    if not named:
        return None
    try:
        account_id = UUID(named)
    except ValueError:
        return _account_of(named, param)
    with transaction() as session:
        if session.get(Account, account_id) is None:
            raise InvalidRequest("There is no such account.", param=param)
    return account_id


def _account_of(email: str, param: str) -> UUID:
    try:
        return accounts.find_person(email).account_id
    except (NotFound, InvalidRequest) as refusal:
        raise InvalidRequest(refusal.message, param=param) from None


def _decimal(text: str | None, param: str) -> Decimal:
    try:
        return parse_usd((text or "").strip())
    except ValueError:
        raise InvalidRequest("A plain decimal number, such as 25 or 12.5.", param=param) from None


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text.strip()):
        raise InvalidRequest("A whole number, such as 0 or 10.", param="priority")
    return int(text)
