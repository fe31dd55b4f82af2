"""/settings/alerts: made, changed and removed by the owner alone, bounded, clear when wrong; what was told is there and on the overview."""

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask

from reseller.domain import alerts
from reseller.domain.accounts import Person
from reseller.domain.alerts import MAX_RULES, AlertKind, RuleTerms
from tests import factories
from tests.domain import scenes
from tests.portal.visitor import Visitor

Visitors = Callable[..., Visitor]
PATH = "/settings/alerts"


def signed_in(visitor: Visitors) -> tuple[Person, Visitor]:
    person, browser = factories.make_person(usd="20"), visitor()
    browser.sign_in(person.email)
    return person, browser


def lines(person: Person) -> list[tuple[str, Decimal]]:
    return [(rule.terms.kind.value, rule.terms.line) for rule in alerts.rules_of(person.account_id)]


def test_a_new_account_has_the_alert_for_a_low_balance(app: Flask, visitor: Visitors) -> None:
    person, browser = signed_in(visitor)

    page = browser.get(PATH).text

    assert lines(person) == [("balance_amount", Decimal(5))]
    assert "The balance falls below $5.00" in page
    assert "Nothing was told so far" in page


@pytest.mark.parametrize(
    ("kind", "line", "kept", "words"),
    [
        ("balance_amount", "$12.50", "12.5", "The balance falls below $12.50"),
        ("balance_percent", "20 %", "20", "below 20 % of the last top-up"),
        ("balance_days", "3", "3", "less than 3 days at the pace of use"),
        ("budget_day", "40", "40", "Charges of a day exceed $40.00"),
        ("budget_month", " 400.25 ", "400.25", "Charges of a month exceed $400.25"),
    ],
)
def test_an_alert_of_each_kind_is_added_and_shown(app: Flask, visitor: Visitors, kind: str, line: str, kept: str, words: str) -> None:
    person, browser = signed_in(visitor)

    answer = browser.post(PATH, kind=kind, line=line, subject="", by_mail="y")

    assert answer.location == PATH
    assert (kind, Decimal(kept)) in lines(person)
    assert words in browser.get(PATH).text
    [row] = scenes.rows("SELECT actor, changes FROM staff_actions WHERE action = 'alert_rule.add'")
    assert row["changes"]["line"] == [None, f"{kind} {kept}"]


@pytest.mark.parametrize(
    ("kind", "line", "says"),
    [
        ("balance_amount", "five", "dollars"),
        ("balance_amount", "0", "More than zero"),
        ("balance_amount", "1000001", "at most $1,000,000.00"),
        ("balance_amount", "5", "such an alert already"),
        ("balance_percent", "100", "from 1 to 99"),
        ("balance_percent", "1.5", "A whole number"),
        ("balance_days", "0", "from 1 to 365"),
        ("budget_day", "", "Say how much"),
        ("budget_day", "NaN", "dollars"),
        ("nonsense", "5", "Not a valid choice"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(app: Flask, visitor: Visitors, kind: str, line: str, says: str) -> None:
    person, browser = signed_in(visitor)

    answer = browser.post(PATH, kind=kind, line=line, subject="")

    assert answer.status_code == 400
    assert says in answer.text
    assert len(lines(person)) == 1


def test_a_budget_of_a_key_and_of_a_member(app: Flask, visitor: Visitors) -> None:
    person, browser = signed_in(visitor)
    _, key = factories.mint_key(person, name="batch")

    browser.post(PATH, kind="budget_day", line="4", subject=f"key {key.id}")
    browser.post(PATH, kind="budget_day", line="4", subject=f"member {person.user_id}")

    rules = [rule for rule in alerts.rules_of(person.account_id) if rule.terms.kind.is_budget]
    assert {(rule.about, rule.terms.by_mail) for rule in rules} == {("batch", False), (person.email, False)}
    balance = browser.post(PATH, kind="balance_amount", line="4", subject=f"key {key.id}")
    assert balance.status_code == 400
    assert "The balance is that of the whole account." in balance.text


def test_nobody_watches_or_touches_what_is_another_s(app: Flask, visitor: Visitors) -> None:
    """R23."""
    person, browser = signed_in(visitor)
    stranger = factories.make_person(usd="20")
    _, key = factories.mint_key(stranger)
    [theirs] = alerts.rules_of(stranger.account_id)
    alerts.sweep()
    factories.grant(stranger, usd="-18")
    alerts.sweep()
    [alert] = alerts.told(stranger.account_id, most=1)

    answers = [
        browser.post(PATH, kind="budget_day", line="4", subject=f"key {key.id}"),
        browser.get(f"{PATH}/{theirs.id}"),
        browser.post(f"{PATH}/{theirs.id}", seen=PATH, kind="budget_day", line="4", subject=""),
        browser.post(f"{PATH}/{theirs.id}/remove", seen=PATH),
        browser.post(f"/alerts/{alert.id}/dismiss", seen=PATH),
    ]

    assert [answer.status_code for answer in answers] == [400, 404, 404, 404, 404]
    assert len(alerts.rules_of(stranger.account_id)) == 1
    assert len(alerts.undismissed(stranger.account_id)) == 1


def test_an_alert_is_changed_and_the_second_of_two_tabs_learns_of_the_first(app: Flask, visitor: Visitors) -> None:
    person, browser = signed_in(visitor)
    [rule] = alerts.rules_of(person.account_id)
    one = f"{PATH}/{rule.id}"

    first = browser.post(one, kind="balance_amount", line="7", subject="", version="1")
    second = browser.post(one, kind="balance_amount", line="9", subject="", version="1")

    assert (first.location, second.status_code) == (PATH, 409)
    assert lines(person) == [("balance_amount", Decimal(7))]


def test_an_alert_is_removed(app: Flask, visitor: Visitors) -> None:
    person, browser = signed_in(visitor)
    [rule] = alerts.rules_of(person.account_id)

    answer = browser.post(f"{PATH}/{rule.id}/remove", seen=PATH)

    assert answer.location == PATH
    assert lines(person) == []
    assert "Nobody is told of anything" in browser.get(PATH).text


def test_there_are_so_many_and_no_more(app: Flask, visitor: Visitors) -> None:
    person, browser = signed_in(visitor)
    for line in range(MAX_RULES - 1):
        alerts.add(person.account_id, RuleTerms(AlertKind.BUDGET_DAY, Decimal(line + 1)), by=person.user_id)

    answer = browser.post(PATH, kind="budget_day", line="99", subject="")

    assert answer.status_code == 409
    assert f"at most {MAX_RULES} alerts" in answer.text
    assert len(lines(person)) == MAX_RULES


def test_what_was_told_stands_on_the_overview_until_it_is_put_away(app: Flask, visitor: Visitors) -> None:
    person, browser = signed_in(visitor)
    alerts.sweep()
    factories.grant(person, usd="-18")
    alerts.sweep()
    page = browser.get("/overview").text
    found = re.search(r'action="(/alerts/[0-9a-f-]+/dismiss)"', page)
    assert found

    answer = browser.post(found[1], seen="/overview")

    assert "The balance fell below $5.00: it was $2.00." in page
    assert answer.location == "/overview"
    assert "The balance fell below" not in browser.get("/overview").text
    assert "The balance fell below $5.00: it was $2.00." in browser.get(PATH).text
