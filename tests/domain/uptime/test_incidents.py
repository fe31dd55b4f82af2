"""Incidents: opened, told of and resolved by staff, each with its audit row; what was written stays."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from reseller.domain import uptime
from reseller.domain.accounts import Role
from reseller.domain.uptime import Impact, IncidentDraft, IncidentState
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.tally import Part
from tests import factories
from tests.domain import scenes

DRAFT: dict[str, Any] = {"title": "Some calls fail", "impact": "minor", "parts": ["api", "models"], "words": "We look into it."}


@pytest.fixture
def author(app: Flask) -> Any:
    return factories.make_person(role=Role.SUPPORT).user_id


def test_an_incident_is_told_until_it_is_resolved(author: Any) -> None:
    incident_id = uptime.open_incident(IncidentDraft(**DRAFT), user_id=author)
    first = uptime.open_now()[0]
    uptime.add_update(incident_id, state="watching", impact="major", words="Mended.", user_id=author, seen_version=1)
    second = uptime.open_now()[0]
    uptime.add_update(incident_id, state="resolved", impact="major", words="It holds.", user_id=author, seen_version=2)

    assert (first.impact, first.parts, first.state) == (Impact.MINOR, (Part.API, Part.MODELS), IncidentState.INVESTIGATING)
    assert (second.impact, second.state) == (Impact.MAJOR, IncidentState.WATCHING)
    assert uptime.open_now() == ()
    told = uptime.recent(timedelta(days=1))[0]
    assert [(update.state, update.words) for update in told.updates] == [
        ("resolved", "It holds."), ("watching", "Mended."), ("investigating", "We look into it."),
    ]  # fmt: skip
    audited = scenes.rows(
        "SELECT action, reason, changes, actor FROM staff_actions WHERE subject_id = :id ORDER BY id", id=str(incident_id)
    )
    assert [row["action"] for row in audited] == ["incident.open", "incident.update", "incident.resolve"]
    assert audited[1]["changes"] == {"state": ["investigating", "watching"], "impact": ["minor", "major"]}
    assert {row["actor"] for row in audited} == {f"user:{author}"}


def test_a_resolved_one_is_closed_for_good(author: Any) -> None:
    incident_id = uptime.open_incident(IncidentDraft(**DRAFT), user_id=author)
    uptime.add_update(incident_id, state="resolved", impact="minor", words="Over.", user_id=author, seen_version=1)

    with pytest.raises(Conflict, match="resolved"):
        uptime.add_update(incident_id, state="watching", impact="minor", words="Again.", user_id=author, seen_version=2)


def test_the_second_of_two_writers_learns_of_the_first(author: Any) -> None:
    incident_id = uptime.open_incident(IncidentDraft(**DRAFT), user_id=author)
    uptime.add_update(incident_id, state="identified", impact="minor", words="It is the disk.", user_id=author, seen_version=1)

    with pytest.raises(Conflict):
        uptime.add_update(incident_id, state="identified", impact="minor", words="It is the net.", user_id=author, seen_version=1)

    assert len(uptime.one(incident_id).updates) == 2


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"impact": "awful"}, "impact"),
        ({"parts": []}, "parts"),
        ({"parts": ["api", "moon"]}, "parts"),
        ({"words": ""}, "words"),
        ({"words": "a\x00b"}, "words"),
    ],
)
def test_what_cannot_be_told_is_refused_and_leaves_no_trace(author: Any, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        uptime.open_incident(IncidentDraft(**(DRAFT | changes)), user_id=author)

    assert refused.value.param == param
    assert uptime.open_now() == ()
    assert scenes.rows("SELECT 1 FROM staff_actions WHERE action LIKE 'incident.%'") == []


def test_one_that_is_not_there_is_not_found(author: Any) -> None:
    with pytest.raises(NotFound):
        uptime.add_update(author, state="watching", impact="minor", words="?", user_id=author, seen_version=1)
