"""/settings/alerts: what the account is told about its balance and spending, and what it was told. For the one who owns it."""

from uuid import UUID

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.domain import alerts
from reseller.domain.alerts import AlertKind, ListedAlert, ListedRule, RuleTerms
from reseller.domain.alerts.firing import span_of
from reseller.errors import Conflict, InvalidRequest
from reseller.money import display_usd, exact_usd, format_decimal
from reseller.portal import acting
from reseller.portal.forms import AlertForm
from reseller.portal.settings.blueprint import settings
from reseller.web.formats import counted

HISTORY = 50


@settings.get("/settings/alerts")
@acting.scoped
def show_alerts() -> str:
    return _page(AlertForm(data={"by_mail": True, "subject": request.args.get("subject", "")}))


@settings.post("/settings/alerts")
@acting.scoped
def add_alert() -> Response | str:
    form, scope = AlertForm(request.form), acting.scope()
    form.offer(alerts.subjects_of(scope.account_id))
    if not form.validate():
        return make_response(_page(form), 400)
    try:
        alerts.add(scope.account_id, form.terms(), by=scope.user_id)
    except (InvalidRequest, Conflict) as refusal:
        form.refuse(refusal)
        return make_response(_page(form), 400 if isinstance(refusal, InvalidRequest) else 409)
    flash("Added. It tells of what happens from now on.", "success")
    return redirect(url_for("settings.show_alerts"))


@settings.get("/settings/alerts/<uuid:rule_id>")
@acting.scoped
def show_alert(rule_id: UUID) -> str:
    rule = alerts.rule_of(acting.scope().account_id, rule_id)
    terms = rule.terms
    subject = f"key {terms.api_key_id}" if terms.api_key_id else f"member {terms.member_id}" if terms.member_id else ""
    told = {"kind": terms.kind.value, "line": format_decimal(terms.line), "subject": subject, "by_mail": terms.by_mail}
    return _one(rule, AlertForm(data={**told, "version": rule.version}))


@settings.post("/settings/alerts/<uuid:rule_id>")
@acting.scoped
def change_alert(rule_id: UUID) -> Response | str:
    scope, form = acting.scope(), AlertForm(request.form)
    rule = alerts.rule_of(scope.account_id, rule_id)
    form.offer(alerts.subjects_of(scope.account_id), kept=_kept(rule))
    if not form.validate():
        return make_response(_one(rule, form), 400)
    try:
        alerts.change(scope.account_id, rule_id, form.terms(), by=scope.user_id, seen_version=form.seen_version())
    except InvalidRequest as refusal:
        form.refuse(refusal)
        return make_response(_one(rule, form), 400)
    flash("Changed.", "success")
    return redirect(url_for("settings.show_alerts"))


@settings.post("/settings/alerts/<uuid:rule_id>/remove")
@acting.scoped
def remove_alert(rule_id: UUID) -> Response:
    scope = acting.scope()
    alerts.remove(scope.account_id, rule_id, by=scope.user_id)
    flash("Removed. What it told stays below.", "success")
    return redirect(url_for("settings.show_alerts"))


@settings.post("/alerts/<uuid:alert_id>/dismiss")
@acting.scoped
def dismiss_alert(alert_id: UUID) -> Response:
    """The overview shows it no more."""
    scope = acting.scope()
    alerts.dismiss(scope.account_id, alert_id, actor=scope.actor)
    return redirect(url_for("overview.show"))


def rule_in_words(terms: RuleTerms) -> str:
    """When it tells."""
    return {
        AlertKind.BALANCE_AMOUNT: f"The balance falls below {exact_usd(terms.line)}",
        AlertKind.BALANCE_PERCENT: f"The balance falls below {int(terms.line)} % of the last top-up",
        AlertKind.BALANCE_DAYS: f"The balance lasts for less than {counted(int(terms.line), 'day')} at the pace of use",
        AlertKind.BUDGET_DAY: f"Charges of a day exceed {exact_usd(terms.line)}",
        AlertKind.BUDGET_MONTH: f"Charges of a month exceed {exact_usd(terms.line)}",
    }[terms.kind]


def alert_in_words(alert: ListedAlert) -> str:
    """What was seen."""
    if alert.starts_on is None:
        return f"The balance fell below {alert.line}: it was {display_usd(alert.value_usd)}."
    whose = f" of “{alert.about}”" if alert.about else ""
    span, seen = span_of(alert.kind, alert.starts_on), display_usd(alert.value_usd)
    return f"Charges{whose} {span} exceeded the budget of {alert.line}: {seen} when it was seen."


def _kept(rule: ListedRule) -> tuple[str, str] | None:
    """Whom it is about now, who may be no choice for a new one: a key that was revoked."""
    if rule.terms.api_key_id:
        return f"key {rule.terms.api_key_id}", f"Key {rule.about}"
    return (f"member {rule.terms.member_id}", f"Member {rule.about}") if rule.terms.member_id else None


def _page(form: AlertForm) -> str:
    account_id = acting.scope().account_id
    form.offer(alerts.subjects_of(account_id))
    rules = alerts.rules_of(account_id)
    told = alerts.told(account_id, most=HISTORY)
    return render_template(
        "settings/alerts.html", form=form, rules=[(rule, rule_in_words(rule.terms)) for rule in rules],
        told=[(alert, alert_in_words(alert)) for alert in told], most=alerts.MAX_RULES,
    )  # fmt: skip


def _one(rule: ListedRule, form: AlertForm) -> str:
    form.offer(alerts.subjects_of(acting.scope().account_id), kept=_kept(rule))
    return render_template("settings/alert.html", form=form, rule=rule, words=rule_in_words(rule.terms))
