"""Budgets tell, once for each UTC day or month, of the account, a key with its line, or the keys of a member; exact when late."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text

from reseller.clock import now
from reseller.database import acting_as_operator, transaction
from reseller.domain import alerts, keys, letters, staff
from reseller.domain.accounts import Person
from reseller.domain.alerts import AlertKind, RuleTerms, budgets
from reseller.domain.usage import rollup
from tests import factories
from tests.domain import scenes
from tests.domain.usage import calls

CENT = 10_000_000
TODAY, MONTH = AlertKind.BUDGET_DAY, AlertKind.BUDGET_MONTH


@pytest.fixture
def person(app: Flask) -> Person:
    """An account whose only alerts are those of the test, made two months ago."""
    made = factories.make_person(usd="50")
    scenes.execute("DELETE FROM alert_rules")
    return made


def budget(person: Person, usd: str, kind: AlertKind = TODAY, **subject: UUID) -> None:
    alerts.add(person.account_id, RuleTerms(kind, Decimal(usd), **subject), by=person.user_id)  # type: ignore[arg-type]
    scenes.execute("UPDATE alert_rules SET watched_since = watched_since - interval '62 days'")


def charged(person: Person, cents: int, *, key_id: UUID | None = None, at: datetime | None = None, **more: Any) -> None:
    """One settled call; its account has moved since anybody looked."""
    when = at or datetime.combine(now().date(), time(0, 0, 1), UTC)
    facts = {"charge_nano": cents * CENT, "api_key_id": key_id or person.account_id, "settled_at": now(), **more}
    calls.write([calls.row(when, person.account_id, **facts)])
    scenes.execute("UPDATE balances SET updated_at = now() WHERE account_id = :id", id=person.account_id)


def told(person: Person) -> list[tuple[str, str, Decimal, date | None]]:
    return [(alert.line, alert.about, alert.value_usd, alert.starts_on) for alert in reversed(alerts.told(person.account_id, most=50))]


def test_a_day_over_budget_is_told_once_by_letter_event_and_page(person: Person) -> None:
    budget(person, "0.10")
    charged(person, 10)
    at_the_line = alerts.sweep()
    charged(person, 1)

    found = [alerts.sweep() for _ in range(3)]
    charged(person, 50)

    assert (at_the_line, found, alerts.sweep()) == (0, [1, 0, 0], 0)
    [letter] = scenes.rows("SELECT kind, recipient, facts FROM letters")
    today = now().date()
    expected = {"budget": "$0.10", "spent": "$0.11", "span": f"on {today:%-d %B %Y}", "about": "of your account"}
    assert (letter["kind"], letter["recipient"], letter["facts"]) == ("budget_crossed", person.email, expected)
    [event] = scenes.rows("SELECT name, payload FROM outbox WHERE name = 'budget.crossed'")
    assert (event["payload"]["spent_usd"], event["payload"]["starts_on"], event["payload"]["key_id"]) == ("0.11", today.isoformat(), None)
    assert told(person) == [("$0.10", "", Decimal("0.11"), today)]


def test_a_call_of_yesterday_that_is_settled_today_counts_to_yesterday(person: Person) -> None:
    """Guard: exact under late settlements, whether the rollup has summed the day or not."""
    budget(person, "0.10")
    yesterday = datetime.combine(now().date() - timedelta(days=1), time(23, 59, 59), UTC)
    charged(person, 9, at=yesterday, settled_at=yesterday)
    rollup.run()
    before = alerts.sweep()
    charged(person, 9, at=yesterday)

    found = alerts.sweep()
    rollup.run()
    scenes.execute("UPDATE alert_rules SET looked_at = NULL")

    assert (before, found, alerts.sweep()) == (0, 1, 0)
    assert told(person) == [("$0.10", "", Decimal("0.18"), yesterday.date())]


def test_a_month_adds_up_its_days_and_each_month_is_told_of(person: Person) -> None:
    budget(person, "0.10", MONTH)
    this = now().date().replace(day=1)
    last = (this - timedelta(days=1)).replace(day=1)
    for month in (last, this):
        for cents in (6, 6):
            charged(person, cents, at=datetime.combine(month, time(0, 0, cents), UTC))

    assert alerts.sweep() == 2
    assert [starts_on for _, _, _, starts_on in told(person)] == [last, this]


def test_a_key_s_budget_counts_the_keys_it_replaced_and_no_others(person: Person) -> None:
    _, old = factories.mint_key(person, name="batch")
    _, other = factories.mint_key(person)
    budget(person, "0.10", api_key_id=old.id)
    charged(person, 9, key_id=old.id)
    charged(person, 90, key_id=other.id)
    before = alerts.sweep()
    _, new = keys.rotate(str(old.id), grace=timedelta(0), actor=factories.ACTOR)
    charged(person, 2, key_id=new.id)

    assert (before, alerts.sweep()) == (0, 1)
    assert told(person) == [("$0.10", "batch", Decimal("0.11"), now().date())]


def test_a_budget_that_moves_to_another_key_begins_anew(person: Person) -> None:
    _, first = factories.mint_key(person, name="batch")
    _, second = factories.mint_key(person, name="chat")
    budget(person, "0.10", api_key_id=first.id)
    charged(person, 11, key_id=first.id)
    charged(person, 12, key_id=second.id)
    before = alerts.sweep()
    [rule] = alerts.rules_of(person.account_id)

    terms = replace(rule.terms, api_key_id=second.id)
    alerts.change(person.account_id, rule.id, terms, by=person.user_id, seen_version=rule.version)

    assert (before, alerts.sweep()) == (1, 1)
    assert [about for _, about, _, _ in told(person)] == ["batch", "chat"]
    alerts.change(person.account_id, rule.id, replace(terms, by_mail=False), by=person.user_id, seen_version=rule.version + 1)
    assert alerts.sweep() == 0


def test_who_changes_a_budget_again_and_again_has_few_letters_of_it(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """And every event, and every alert on the page."""
    monkeypatch.setattr(letters, "MANY", 2)
    budget(person, "0.01")
    charged(person, 90)
    [rule] = alerts.rules_of(person.account_id)

    for cents in (2, 1, 2, 1):
        alerts.sweep()
        terms = replace(rule.terms, line=Decimal(cents) / 100)
        alerts.change(person.account_id, rule.id, terms, by=person.user_id, seen_version=None)

    assert [len(scenes.rows(f"SELECT id FROM {table}")) for table in ("letters", "alerts")] == [2, 4]
    assert len(scenes.rows("SELECT id FROM outbox WHERE name = 'budget.crossed'")) == 4


def test_a_member_s_budget_counts_the_keys_that_member_made(person: Person) -> None:
    """Of the keys a person made, whoever rotated them since."""
    _, theirs = keys.mint(person.account_id, name="mine", actor=staff.actor_of(person.user_id))
    _, of_a_command = factories.mint_key(person)
    budget(person, "0.10", member_id=person.user_id)
    charged(person, 90, key_id=of_a_command.id)
    before = alerts.sweep()
    _, rotated = keys.rotate(str(theirs.id), grace=timedelta(0), actor="cli:root")
    charged(person, 8, key_id=theirs.id)
    charged(person, 8, key_id=rotated.id)

    assert (before, alerts.sweep()) == (0, 1)
    assert told(person) == [("$0.10", person.email, Decimal("0.16"), now().date())]


def test_an_account_that_was_not_charged_since_is_not_looked_at_again(person: Person) -> None:
    budget(person, "0.10")
    alerts.sweep()
    scenes.execute("UPDATE balances SET updated_at = updated_at - interval '1 hour'")
    [before] = scenes.rows("SELECT looked_at FROM alert_rules")

    alerts.sweep()

    assert scenes.rows("SELECT looked_at FROM alert_rules") == [before]


def test_a_budget_that_was_lowered_tells_nothing_of_months_before(person: Person) -> None:
    """They were within the budget that there was."""
    budget(person, "1", MONTH)
    last = (now().date().replace(day=1) - timedelta(days=1)).replace(day=1)
    charged(person, 50, at=datetime.combine(last, time(0, 0, 1), UTC))
    [rule] = alerts.rules_of(person.account_id)
    alerts.change(person.account_id, rule.id, replace(rule.terms, line=Decimal("0.10")), by=person.user_id, seen_version=None)
    before = alerts.sweep()
    charged(person, 11)

    assert (before, alerts.sweep()) == (0, 1)
    assert [starts_on for _, _, _, starts_on in told(person)] == [now().date().replace(day=1)]


def test_everybody_has_their_turn_however_many_there_are(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "AT_A_TIME", 1)
    people = [person, *(factories.make_person(usd="50") for _ in range(2))]
    for each in people:
        budget(each, "0.10")

    for _ in people:
        for each in people:
            charged(each, 20)
        alerts.sweep()

    assert [len(told(each)) for each in people] == [1, 1, 1]


def test_one_that_cannot_be_looked_at_keeps_no_other_from_it(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    other = factories.make_person(usd="50")
    for each in (person, other):
        budget(each, "0.10")
        charged(each, 20)
    read = budgets._charges

    def charges(account_id: UUID, *span: date) -> Any:
        if account_id == person.account_id:
            raise ValueError("odd")
        return read(account_id, *span)

    monkeypatch.setattr(budgets, "_charges", charges)

    with pytest.raises(RuntimeError, match="looking at budgets failed for 1"):
        alerts.sweep()

    assert len(told(other)) == 1


def test_a_new_budget_tells_nothing_of_days_before_it(person: Person) -> None:
    alerts.add(person.account_id, RuleTerms(TODAY, Decimal("0.10")), by=person.user_id)
    charged(person, 90, at=datetime.combine(now().date() - timedelta(days=1), time(12), UTC))

    assert alerts.sweep() == 0


def test_two_workers_at_once_tell_once(app: Flask, person: Person) -> None:
    """Guard: the rule's row is locked, and a crossing has one row."""
    budget(person, "0.10")
    charged(person, 20)
    found: list[int] = []

    def work() -> None:
        with app.app_context(), acting_as_operator():
            found.append(alerts.sweep())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(found) == 1
    assert len(scenes.rows("SELECT id FROM letters")) == 1
    assert len(scenes.rows("SELECT id FROM outbox WHERE name = 'budget.crossed'")) == 1


def test_who_dies_between_deciding_and_telling_loses_and_doubles_nothing(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: the alert, its letters and its event are one commit."""
    budget(person, "0.10")
    charged(person, 20)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(letters, "write", die)
        with pytest.raises(KeyboardInterrupt):
            alerts.sweep()
    nothing = [scenes.rows(f"SELECT id FROM {table}") for table in ("alerts", "letters")]

    assert nothing == [[], []]
    assert (alerts.sweep(), alerts.sweep()) == (1, 0)
    assert len(scenes.rows("SELECT id FROM letters")) == 1


def test_a_removed_alert_leaves_what_it_told(person: Person) -> None:
    budget(person, "0.10")
    charged(person, 20)
    alerts.sweep()
    [rule] = alerts.rules_of(person.account_id)

    alerts.remove(person.account_id, rule.id, by=person.user_id)

    assert len(told(person)) == 1
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM alert_rules")) == 0
