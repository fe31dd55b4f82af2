"""Pricing rules and their tester. Nothing is published that was not looked at first: the tester's preview is the only way in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import flash, redirect, request
from sqlalchemy import ColumnElement

from reseller.backoffice.access import ADMINS, STAFF, actor, exposed, pages
from reseller.backoffice.editing import put_on_form, version_given
from reseller.backoffice.filters import AccountIs, Choice, ListFilter, contains
from reseller.backoffice.prices import current, trials
from reseller.backoffice.prices.forms import DraftForm
from reseller.backoffice.reasons import reason_given
from reseller.backoffice.tables import TableView
from reseller.domain import pricing
from reseller.domain.desk import price_rules
from reseller.domain.desk.price_rules import RuleLine
from reseller.domain.pricing import PricingRule
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import format_decimal

ACTIVE, RETIRED, ALL = "active", "retired", "all"


def _state(value: str) -> ColumnElement[bool]:
    return PricingRule.id.is_not(None) if value == ALL else PricingRule.is_active.is_(value == ACTIVE)


class Rules(TableView):
    """Rules are read by all staff and written by admins, who show their second factor again (R24)."""

    access = pages(STAFF, "index_view", "export", "show", "tester") | pages(ADMINS, "publish", "retire")
    confirmed = frozenset({"publish", "retire"})
    can_view_details = False  # a rule has a page of its own
    column_list = (
        "pattern", "scope", "markup_percent", "min_cost_usd", "priority", "wins", "is_active", "effective_from", "by",
        "superseded_at", "id",
    )  # fmt: skip
    list_template = "prices/list.html"
    intro = "The highest priority wins, then the more specific pattern, then a rule for one account alone, then the newer one."
    column_filters = (
        Choice("state", "State", _state, options=[(ACTIVE, "active"), (RETIRED, "retired"), (ALL, "active and retired")]),
        ListFilter("pattern", "Pattern has", contains(PricingRule.model_pattern)),
        AccountIs(PricingRule.account_id, label="Account id or e-mail"),
    )

    def _filters_given(self) -> dict[str, str]:
        return {"state": ACTIVE, **super()._filters_given()}

    def rows(self, filters: Mapping[str, str], *, after: str | None, limit: int) -> list[Any]:
        by_arg = {each.arg: each for each in self.column_filters}
        where = [by_arg[arg]._where(by_arg[arg].clean(value)) for arg, value in filters.items()]
        before = None if after is None else self.cursor(after)
        return list(price_rules.rules(where, current.book(), current.fees(), after=before, limit=limit))

    @exposed("/<uuid:rule_id>/")
    def show(self, rule_id: UUID) -> str:
        """One rule, retired ones too."""
        book = current.book()
        rule = price_rules.rule(rule_id, book, current.fees())
        return str(self.render("prices/show.html", rule=rule, draft=_draft_of(rule), fees=current.fees()))

    @exposed("/test/")
    def tester(self) -> Any:
        """Which rule prices a model and what is left of it; with a draft, what publishing it would change."""
        form = DraftForm(request.args)
        return self._tested(form, 200)

    @exposed("/publish/", methods=("POST",))
    def publish(self) -> Any:
        """The tested draft is a rule. Conflict if prices have changed since the preview, or the replaced rule is retired already."""
        form = DraftForm(request.form)
        try:
            reason, seen = reason_given(), version_given("The form does not say which prices it was tested with. Test the rule again.")
            replaced, terms = form.replaced(), form.terms()
            if replaced is None:
                rule = pricing.add_rule(terms, actor(), reason=reason, seen=seen)
            else:
                rule = pricing.replace_rule(replaced, terms, actor(), reason=reason, seen=seen)
        except Conflict as conflict:
            flash(conflict.message, "conflict")
            return self._tested(form, 409)
        except InvalidRequest as refusal:
            put_on_form(form, refusal)
            return self._tested(form, 400)
        flash(f"Published: {rule.model_pattern}. It holds from the next call on.", "success")
        return redirect(self.get_url(".show", rule_id=rule.id))

    @exposed("/retire/", methods=("POST",))
    def retire(self) -> Any:
        """The rule takes part no more. Conflict if somebody has retired or replaced it meanwhile."""
        try:
            rule_id = UUID(request.form.get("rule_id", ""))
        except ValueError:
            raise NotFound("There is no such pricing rule.") from None
        pricing.retire_rule(rule_id, actor(), reason=reason_given())
        flash("Retired. Usage rows that name it keep explaining themselves.", "success")
        return redirect(self.get_url(".show", rule_id=rule_id))

    def _tested(self, form: DraftForm, status: int) -> Any:
        given = request.args if request.method == "GET" else {}
        book, fees = current.book(), current.fees()
        found = trials.run(form, str(given.get("model", "")), str(given.get("account", "")), book, fees)
        return self.render("prices/tester.html", form=form, trial=found, fees=fees, version=book.version), status


def _draft_of(rule: RuleLine) -> dict[str, Any]:
    """The rule as a draft that would replace it."""
    return {
        "pattern": rule.pattern,
        "markup": format_decimal(rule.markup_percent),
        "min_cost": format_decimal(rule.min_cost_usd),
        "priority": rule.priority,
        "scope": rule.account_id or "",
        "replaces": rule.id,
    }
