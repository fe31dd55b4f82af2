"""Alerts about balances: told once a crossing, again only after the balance was clearly above, in dollars, percent and days."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts, alerts, ledger, notices
from reseller.domain.accounts import Person, User
from reseller.domain.alerts import AlertKind, RuleTerms
from reseller.domain.ledger import EntryDraft, EntryKind
from reseller.domain.notices import Choices
from tests import factories
from tests.domain import scenes
from tests.domain.usage import calls


@pytest.fixture(autouse=True)
def _in_context(app: Flask) -> None:
    """The app's context, as the operator."""


def owner(usd: str | None = None) -> Person:
    """Somebody with this balance and the alert that every account begins with."""
    return factories.make_person(usd=usd)


def watch(person: Person, kind: AlertKind, line: str, **more: object) -> None:
    """This alert is the account's only one."""
    scenes.execute("DELETE FROM alert_rules WHERE account_id = :id", id=person.account_id)
    alerts.add(person.account_id, RuleTerms(kind, Decimal(line), **more), by=person.user_id)  # type: ignore[arg-type]


def take(person: Person, usd: str) -> None:
    factories.grant(person, usd=f"-{usd}")


def top_up(person: Person, usd: str) -> None:
    ledger.post(EntryDraft(person.account_id, EntryKind.TOP_UP, int(Decimal(usd) * 10**9), f"payment {now()}", factories.ACTOR))


def letters_to(person: Person) -> list[tuple[str, dict[str, str]]]:
    rows = scenes.rows("SELECT kind, facts, recipient FROM letters ORDER BY id")
    return [(row["kind"], row["facts"]) for row in rows if row["recipient"] == person.email]


def events_of(person: Person) -> list[tuple[str, dict[str, object]]]:
    rows = scenes.rows(
        "SELECT name, payload FROM outbox WHERE account_id = :id AND name <> 'balance.topped_up' ORDER BY id", id=person.account_id
    )
    return [(row["name"], row["payload"]) for row in rows]


def test_a_balance_that_falls_below_the_line_is_told_once_by_letter_event_and_page() -> None:
    person = owner("20")
    watch(person, AlertKind.BALANCE_AMOUNT, "12.50")
    first = alerts.sweep()
    take(person, "8")

    told = [alerts.sweep() for _ in range(3)]

    assert (first, told) == (0, [1, 0, 0])
    assert letters_to(person) == [("low_balance", {"balance": "$12.00", "line": "$12.50"})]
    [(name, payload)] = events_of(person)
    assert (name, payload["kind"], payload["line_usd"], payload["balance_usd"]) == ("balance.low", "balance_amount", "12.5", "12")
    assert [(alert.line, alert.value_usd) for alert in alerts.undismissed(person.account_id)] == [("$12.50", Decimal(12))]


def test_every_account_begins_with_an_alert_below_five_dollars() -> None:
    person = owner("20")
    alerts.sweep()
    take(person, "15.01")

    assert alerts.sweep() == 1
    assert letters_to(person) == [("low_balance", {"balance": "$4.99", "line": "$5.00"})]


def test_it_is_told_again_only_after_it_was_clearly_above() -> None:
    """Guard: a balance that wavers around the line tells once; a tenth above it is clearly above."""
    person = owner("20")
    watch(person, AlertKind.BALANCE_AMOUNT, "10")
    alerts.sweep()
    take(person, "11")
    first = alerts.sweep()
    wavering = []
    for _ in range(3):
        factories.grant(person, usd="1.99")  # 10.99
        wavering.append(alerts.sweep())
        take(person, "1.99")
        wavering.append(alerts.sweep())
    factories.grant(person, usd="2")  # 11
    alerts.sweep()
    take(person, "2")

    assert (first, wavering, alerts.sweep(), alerts.sweep()) == (1, [0] * 6, 1, 0)


def test_several_lines_of_one_account_are_told_each() -> None:
    person = owner("20")
    for line in ("10", "15"):
        alerts.add(person.account_id, RuleTerms(AlertKind.BALANCE_AMOUNT, Decimal(line)), by=person.user_id)
    alerts.sweep()
    take(person, "7")
    first = alerts.sweep()
    take(person, "4")

    assert (first, alerts.sweep()) == (1, 1)
    assert [facts["line"] for _, facts in letters_to(person)] == ["$15.00", "$10.00"]


def test_a_share_of_the_last_top_up_moves_with_it() -> None:
    person = owner()
    watch(person, AlertKind.BALANCE_PERCENT, "20")
    nothing_yet = alerts.sweep()
    top_up(person, "10")
    top_up(person, "100")
    alerts.sweep()
    take(person, "91")

    assert (nothing_yet, alerts.sweep()) == (0, 1)
    assert letters_to(person) == [("low_balance", {"balance": "$19.00", "line": "20 % of the last top-up ($20.00)"})]


def test_days_left_are_those_of_the_pace_of_use() -> None:
    person = owner("20")
    watch(person, AlertKind.BALANCE_DAYS, "3")
    first = alerts.sweep()
    at = now() - timedelta(days=7)
    calls.write([calls.row(at + timedelta(hours=6 + 24 * day), person.account_id, charge_nano=10**9) for day in range(7)])
    scenes.execute("UPDATE alert_rules SET looked_at = NULL")
    enough = alerts.sweep()
    take(person, "17.5")

    assert (first, enough, alerts.sweep(), alerts.sweep()) == (0, 0, 1, 0)
    assert letters_to(person) == [("low_balance", {"balance": "$2.50", "line": "3 days of use"})]


def test_a_rule_for_a_balance_that_is_low_already_waits_until_it_is_above() -> None:
    person = owner("8")
    watch(person, AlertKind.BALANCE_AMOUNT, "10")
    waiting = [rule.waits for rule in alerts.rules_of(person.account_id)]
    first = alerts.sweep()
    factories.grant(person, usd="2")
    alerts.sweep()
    take(person, "1")

    assert (waiting, first, alerts.sweep()) == ([True], 0, 1)


def test_who_wants_no_letters_or_has_shown_no_address_has_none_and_programs_hear_of_it_all_the_same() -> None:
    silent, unproved, mailless, suspended = (owner("20") for _ in range(4))
    notices.choose(silent.user_id, Choices(tells_alerts=False), actor=factories.ACTOR)
    watch(mailless, AlertKind.BALANCE_AMOUNT, "5", by_mail=False)
    with transaction() as session:
        session.get_one(User, unproved.user_id).email_verified_at = None
    alerts.sweep()
    accounts.suspend(suspended.account_id, reason="x", actor=factories.ACTOR)
    everybody = (silent, unproved, mailless, suspended)
    for person in everybody:
        take(person, "19")

    assert alerts.sweep() == 3
    assert [letters_to(person) for person in everybody] == [[], [], [], []]
    assert [[name for name, _ in events_of(person)] for person in everybody] == [["balance.low"]] * 3 + [[]]


@pytest.mark.parametrize("kind", [AlertKind.BALANCE_AMOUNT, AlertKind.BALANCE_DAYS])
def test_one_that_cannot_be_told_keeps_no_other_from_it(kind: AlertKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor from being told of days left when it is an amount that fails."""
    unlucky, amount, days = (owner("20") for _ in range(3))
    for person, watched in ((unlucky, kind), (amount, AlertKind.BALANCE_AMOUNT), (days, AlertKind.BALANCE_DAYS)):
        watch(person, watched, "3")
    for person in (unlucky, days):
        at = now() - timedelta(days=7)
        calls.write([calls.row(at + timedelta(hours=6 + 24 * day), person.account_id, charge_nano=10**9) for day in range(7)])
    alerts.sweep()
    for person in (unlucky, amount, days):
        take(person, "17.5")
    scenes.execute("UPDATE alert_rules SET id = '00000000-0000-0000-0000-000000000000' WHERE account_id = :id", id=unlucky.account_id)
    scenes.execute("UPDATE alert_rules SET looked_at = now() - interval '1 day' WHERE account_id = :id", id=unlucky.account_id)
    scenes.fail_to_announce(monkeypatch, unlucky.account_id)

    with pytest.raises(RuntimeError, match="00000000-0000-0000-0000-000000000000: KeyError"):
        alerts.sweep()

    assert [len(letters_to(person)) for person in (unlucky, amount, days)] == [0, 1, 1]
    monkeypatch.undo()
    assert (alerts.sweep(), len(letters_to(unlucky))) == (1, 1)


def test_another_line_begins_anew() -> None:
    person = owner("20")
    watch(person, AlertKind.BALANCE_AMOUNT, "10")
    alerts.sweep()
    take(person, "11")
    alerts.sweep()
    [rule] = alerts.rules_of(person.account_id)

    alerts.change(person.account_id, rule.id, RuleTerms(AlertKind.BALANCE_AMOUNT, Decimal(6)), by=person.user_id, seen_version=rule.version)
    alerts.sweep()
    take(person, "4")

    assert alerts.sweep() == 1
    assert letters_to(person)[-1] == ("low_balance", {"balance": "$5.00", "line": "$6.00"})
