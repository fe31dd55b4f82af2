"""Named sets of limits: two editors, names that are taken, figures that cannot be, and the trace of each change (R37)."""

from typing import Any
from uuid import UUID

import pytest

from reseller.domain import limits, staff
from reseller.domain.limits import LimitPreset
from reseller.domain.limits.changes import MOST
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")
FIGURES = {"requests_per_minute": 60, "requests_per_hour": None, "requests_per_day": 5_000, "concurrent_requests": 8}


def add(name: str = "Starter", **figures: int | None) -> UUID:
    return limits.add_preset(name, FIGURES | figures, actor="test", reason="for newcomers")


def change(preset_id: UUID, *, name: str = "Starter", seen_version: int | None = 1, **figures: int | None) -> None:
    limits.change_preset(preset_id, name, FIGURES | figures, seen_version=seen_version, actor="test", reason="they asked")


def only() -> LimitPreset:
    (found,) = limits.all_presets()
    return found


def audit() -> list[dict[str, Any]]:
    return scenes.rows("SELECT action, subject_id, reason, address, changes FROM staff_actions ORDER BY id")


def test_a_preset_has_its_figures_and_the_audit_log_knows_why() -> None:
    with staff.acting_from("192.0.2.9"):
        preset_id = add()

    assert (only().name, only().requests_per_minute, only().requests_per_hour, only().max_tokens_per_request) == ("Starter", 60, None, None)
    (row,) = audit()
    assert (row["action"], row["subject_id"], row["reason"]) == ("limit_preset.add", str(preset_id), "for newcomers")
    assert row["address"] == "192.0.2.9"
    assert row["changes"]["requests_per_minute"] == [None, 60]


def test_a_change_is_recorded_from_what_to_what_and_only_where_something_changed() -> None:
    preset_id = add()

    change(preset_id, requests_per_minute=90)

    assert audit()[-1]["changes"] == {"requests_per_minute": [60, 90]}
    assert only().version == 2


def test_the_second_of_two_editors_learns_of_the_first_and_overwrites_nothing() -> None:
    preset_id = add()
    change(preset_id, requests_per_minute=90)

    with pytest.raises(Conflict, match="in the meantime"):
        change(preset_id, requests_per_minute=10)

    assert only().requests_per_minute == 90
    assert [row["action"] for row in audit()] == ["limit_preset.add", "limit_preset.change"]


def test_what_changed_in_the_meantime_is_not_deleted() -> None:
    preset_id = add()
    change(preset_id, requests_per_minute=90)

    with pytest.raises(Conflict):
        limits.remove_preset(preset_id, seen_version=1, actor="test", reason="unused")

    assert only().requests_per_minute == 90


def test_a_deleted_preset_is_gone_and_its_figures_are_in_the_log() -> None:
    preset_id = add()

    limits.remove_preset(preset_id, seen_version=1, actor="test", reason="unused")

    assert limits.all_presets() == []
    assert audit()[-1]["changes"]["requests_per_day"] == [5_000, None]
    with pytest.raises(NotFound):
        change(preset_id)


@pytest.mark.parametrize("rename", [False, True])
def test_two_presets_never_share_a_name(rename: bool) -> None:
    add()
    other = add("Team") if rename else None

    with pytest.raises(Conflict, match="named “Starter” already") as refusal:
        change(other) if other else add()

    assert refusal.value.param == "name"
    assert [preset.name for preset in limits.all_presets()] == (["Starter", "Team"] if rename else ["Starter"])


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b", "a\u202eb"])
def test_a_name_is_short_and_printable(name: str) -> None:
    with pytest.raises(InvalidRequest):
        add(name)


@pytest.mark.parametrize("figure", [0, -1, MOST + 1])
def test_a_limit_is_a_whole_number_above_zero(figure: int) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        add(requests_per_day=figure)

    assert refusal.value.param == "requests_per_day"


def test_nothing_happens_without_a_reason() -> None:
    with pytest.raises(InvalidRequest):
        limits.add_preset("Starter", FIGURES, actor="test", reason="  ")

    assert limits.all_presets() == []
    assert audit() == []
