"""Upstreams that staff add and switch: what a row may say, two people at once, and the trace (R24, R37)."""

from typing import Any

import pytest

from reseller.domain import pricing
from reseller.domain.pricing import UpstreamState
from reseller.errors import Conflict, InvalidRequest, NotFound
from tests import factories
from tests.domain import scenes

pytestmark = pytest.mark.usefixtures("app")
GOOD: dict[str, Any] = {"base_url": "https://api.acme.example/v1", "key_variable": "UPSTREAM_ACME_KEY", "priority": 5}


def add(name: str = "acme", **changes: Any) -> None:
    pricing.add_upstream(name, **(GOOD | changes), actor="test", reason="a second source")


def states() -> dict[str, UpstreamState]:
    return {state.name: state for state in pricing.upstream_states()}


def actions() -> list[str]:
    return [row["action"] for row in scenes.rows("SELECT action FROM staff_actions WHERE subject_kind = 'upstream' ORDER BY id")]


def test_an_added_upstream_is_on_and_every_process_learns_of_it() -> None:
    version = pricing.current_version()

    add(base_url=" https://api.acme.example/v1/ ")

    assert states()["acme"] == UpstreamState(
        "acme",
        "openai",
        "https://api.acme.example/v1",
        "UPSTREAM_ACME_KEY",
        is_active=True,
        priority=5,
        version=1,
        models_for_sale=0,
        models=0,
    )
    assert pricing.current_version() == version + 1
    (row,) = scenes.rows("SELECT reason, changes FROM staff_actions WHERE action = 'upstream.add'")
    assert row["reason"] == "a second source"
    assert row["changes"]["base_url"] == [None, "https://api.acme.example/v1"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key_variable", "SECRET_KEY"),
        ("key_variable", "DATABASE_URL"),
        ("key_variable", "STRIPE_SECRET_KEY"),
        ("key_variable", "OPENROUTER_API_KEY"),
        ("key_variable", "UPSTREAM_KEY"),
        ("key_variable", "UPSTREAM_ACME_KEY\n"),
        ("base_url", "http://api.acme.example/v1"),
        ("base_url", "https://"),
        ("base_url", "https://name:password@api.acme.example"),
        ("base_url", "https://api.acme.example/v1?key=1"),
        ("base_url", "https://api.acme.example:99999999/v1"),
        ("base_url", "javascript:alert(1)"),
        ("base_url", "https://[api"),
    ],
)
def test_no_row_sends_another_secret_of_ours_away_or_a_key_in_clear(field: str, value: str) -> None:
    """R24: an upstream's author must not read what the environment keeps."""
    with pytest.raises(InvalidRequest) as refusal:
        add(**{field: value})

    assert refusal.value.param == field
    assert "acme" not in states()


def test_no_row_is_sent_the_key_of_another_upstream() -> None:
    """R24: it would read it at an address of its author's choice."""
    add()

    with pytest.raises(InvalidRequest) as refusal:
        add("evil", base_url="https://evil.example/v1")

    assert refusal.value.param == "key_variable"
    assert set(states()) == {"acme"}


@pytest.mark.parametrize("name", ["", "Acme", "acme corp", "1acme", "a" * 41, "äcme"])
def test_a_name_is_small_letters_digits_and_hyphens(name: str) -> None:
    with pytest.raises(InvalidRequest):
        add(name)


def test_a_name_is_given_once_and_nothing_of_the_first_is_overwritten() -> None:
    add()

    with pytest.raises(Conflict):
        add(base_url="https://evil.example/v1")

    assert states()["acme"].base_url == "https://api.acme.example/v1"


def test_nothing_happens_without_a_reason() -> None:
    with pytest.raises(InvalidRequest):
        pricing.add_upstream("acme", **GOOD, actor="test", reason=" ")

    assert states() == {}


def test_of_two_people_who_switch_the_second_learns_of_the_first() -> None:
    add()
    pricing.set_upstream_active("acme", False, actor="test", reason="it fails", seen_version=1)
    pricing.set_upstream_active("acme", True, actor="test", reason="it works again", seen_version=2)

    with pytest.raises(Conflict):
        pricing.set_upstream_active("acme", False, actor="test", reason="it fails", seen_version=1)

    assert states()["acme"].is_active
    assert actions() == ["upstream.add", "upstream.switch", "upstream.switch"]


def test_an_upstream_that_is_as_wanted_already_stays_and_leaves_no_trace() -> None:
    add()

    pricing.set_upstream_active("acme", True, actor="test", reason="on", seen_version=1)

    assert actions() == ["upstream.add"]
    with pytest.raises(NotFound):
        pricing.set_upstream_active("nobody", True, actor="test")


def test_the_list_counts_models_for_sale_and_the_first_asked_is_on_top() -> None:
    add(priority=9)
    factories.make_model(slug="acme/one")
    factories.make_model(slug="acme/two", status="withdrawn")

    assert [state.name for state in pricing.upstream_states()] == ["acme", "openrouter"]
    assert (states()["openrouter"].models_for_sale, states()["openrouter"].models) == (1, 2)
