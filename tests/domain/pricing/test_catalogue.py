"""A sync of the upstream's list: added, changed, withdrawn, quarantined (promise R7)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import pricing
from reseller.domain.pricing import Model, ModelPrice, ModelStatus, PriceState, SyncReport, UpstreamKind
from reseller.domain.staff import StaffAction
from reseller.errors import Conflict, NotForSale, NotFound
from tests.domain.pricing.samples import make_entry

pytestmark = pytest.mark.usefixtures("operator")


def sync(*entries: Any) -> SyncReport:
    return pricing.sync("openrouter", list(entries), actor="test")


def status_of(slug: str = "acme/one") -> str:
    with transaction() as session:
        return session.get_one(Model, slug).status


def prompt_price(slug: str = "acme/one") -> Decimal | None:
    """What is in force now."""
    with transaction() as session:
        return pricing.rates_at(session, pricing.current_version(), slug).prompt


def test_a_new_model_is_added_with_its_exact_price() -> None:
    report = sync(make_entry("acme/one", prompt="0.00000012345678901234567890"))

    assert report.added == ["acme/one"]
    assert prompt_price() == Decimal("0.0000001234567890123456789")
    assert report.price_version == pricing.current_version()


def test_the_same_list_again_changes_nothing() -> None:
    entries = [make_entry("acme/one", overrides=[{"min_prompt_tokens": 5, "prompt": "0.000002"}]), make_entry("acme/two", discount="0.5")]
    sync(*entries)
    version = pricing.current_version()

    report = sync(*entries)

    assert report == SyncReport()
    assert pricing.current_version() == version


def test_a_price_within_bounds_changes_and_the_old_version_keeps_its_own() -> None:
    before = sync(make_entry()).price_version

    report = sync(make_entry(prompt="0.000003"))

    assert report.changed == ["acme/one"]
    assert prompt_price() == Decimal("0.000003")
    with transaction() as session:
        assert pricing.rates_at(session, before or 0, "acme/one").prompt == Decimal("0.000001")
        with pytest.raises(NotForSale):
            pricing.rates_at(session, 0, "acme/one")


def test_new_facts_are_a_change_too() -> None:
    sync(make_entry())

    report = sync(make_entry() | {"name": "Acme Uno"})

    assert report.changed == ["acme/one"]


def test_a_vanished_model_is_withdrawn_and_comes_back_when_listed_again() -> None:
    sync(make_entry("acme/one"), make_entry("acme/two"))

    gone = sync(make_entry("acme/two"))
    still_gone = sync(make_entry("acme/two"))
    back = sync(make_entry("acme/one"), make_entry("acme/two"))

    assert gone.withdrawn == ["acme/one"]
    assert still_gone == SyncReport()
    assert back.changed == ["acme/one"]
    assert status_of() == ModelStatus.ACTIVE


@pytest.mark.parametrize("price", ["-1", None, "NaN", "0", "0.0000031", "0.0000003"])
def test_a_doubtful_price_is_quarantined_and_the_old_one_stays(price: str | None) -> None:
    """R7: negative, absent, non-finite, free from paid, more than three times different."""
    sync(make_entry())

    report = sync(make_entry(prompt=price))

    assert report.quarantined == ["acme/one"]
    assert "acme/one" in report.reasons
    assert status_of() == ModelStatus.QUARANTINED
    assert prompt_price() == Decimal("0.000001")
    assert sync(make_entry(prompt=price)) == SyncReport()


@pytest.mark.parametrize("price", ["-1", None, "NaN"])
def test_a_model_without_a_possible_price_is_never_for_sale(price: str | None) -> None:
    report = sync(make_entry("openrouter/auto", prompt=price), make_entry())

    assert report.skipped == ["openrouter/auto"]
    assert report.added == ["acme/one"]
    with transaction() as session:
        assert session.get(Model, "openrouter/auto") is None


def test_a_free_model_is_for_sale() -> None:
    assert sync(make_entry("acme/one:free", prompt="0", completion="0")).added == ["acme/one:free"]


def test_a_price_that_returns_to_normal_ends_the_quarantine_by_itself() -> None:
    sync(make_entry())
    sync(make_entry(prompt="1"))

    report = sync(make_entry(prompt="0.000002"))

    assert report.changed == ["acme/one"]
    assert status_of() == ModelStatus.ACTIVE
    assert prompt_price() == Decimal("0.000002")


def test_a_doubt_that_nobody_decided_on_is_raised_again() -> None:
    sync(make_entry())
    sync(make_entry(prompt="1"))
    sync(make_entry())

    report = sync(make_entry(prompt="1"))

    assert report.quarantined == ["acme/one"]


def test_staff_may_accept_a_quarantined_price() -> None:
    sync(make_entry())
    sync(make_entry(prompt="1"))
    before = pricing.current_version()

    pricing.accept("acme/one", "user:1", reason="they said so")

    assert (status_of(), prompt_price()) == (ModelStatus.ACTIVE, Decimal(1))
    assert sync(make_entry(prompt="1")) == SyncReport()
    with transaction() as session:
        assert pricing.rates_at(session, before, "acme/one").prompt == Decimal("0.000001")
        assert session.scalars(select(StaffAction.action).where(StaffAction.subject_id == "acme/one")).all() == ["model_price.accept"]


def test_a_rejected_price_is_not_asked_about_again() -> None:
    sync(make_entry())
    sync(make_entry(prompt="1"))

    pricing.reject("acme/one", "user:1")

    assert (status_of(), prompt_price()) == (ModelStatus.ACTIVE, Decimal("0.000001"))
    assert sync(make_entry(prompt="1")) == SyncReport()
    assert sync(make_entry(prompt="2")).quarantined == ["acme/one"]


def test_an_impossible_price_cannot_be_accepted() -> None:
    sync(make_entry())
    sync(make_entry(prompt="-1"))

    with pytest.raises(Conflict, match="negative"):
        pricing.accept("acme/one", "user:1")

    assert status_of() == ModelStatus.QUARANTINED


def test_a_decision_needs_something_to_decide() -> None:
    sync(make_entry())

    with pytest.raises(Conflict):
        pricing.accept("acme/one", "user:1")
    with pytest.raises(NotFound):
        pricing.reject("acme/none", "user:1")


def make_overdue(slug: str = "acme/one") -> None:
    with transaction() as session:
        session.get_one(Model, slug).quarantined_at = now() - timedelta(hours=24)


def test_after_a_day_without_a_decision_the_model_is_withdrawn_until_staff_decide() -> None:
    """R7: the old price stays at most 24 h."""
    sync(make_entry("acme/one"), make_entry("acme/two"))
    sync(make_entry("acme/one", prompt="1"), make_entry("acme/two", prompt="1"))
    make_overdue("acme/one")

    expired = pricing.expire_quarantine()

    assert expired == ["acme/one"]
    assert (status_of("acme/one"), status_of("acme/two")) == (ModelStatus.WITHDRAWN, ModelStatus.QUARANTINED)
    assert pricing.expire_quarantine() == []
    assert sync(make_entry("acme/one"), make_entry("acme/two", prompt="1")).changed == []
    assert status_of("acme/one") == ModelStatus.WITHDRAWN
    with pytest.raises(Conflict):
        pricing.restore("acme/one", "user:1")
    pricing.accept("acme/one", "user:1")
    assert status_of("acme/one") == ModelStatus.ACTIVE


def test_a_model_that_staff_withdrew_stays_so_whatever_is_listed() -> None:
    sync(make_entry())

    pricing.withdraw("acme/one", "user:1", reason="complaints")

    assert sync(make_entry()).skipped == ["acme/one"]
    assert status_of() == ModelStatus.WITHDRAWN
    pricing.restore("acme/one", "user:1")
    assert status_of() == ModelStatus.ACTIVE


def test_an_empty_list_withdraws_nothing() -> None:
    sync(make_entry())

    with pytest.raises(Conflict):
        sync()

    assert status_of() == ModelStatus.ACTIVE


def test_an_unknown_upstream_is_not_synced() -> None:
    with pytest.raises(NotFound):
        pricing.sync("nowhere", [make_entry()], actor="test")


def test_one_upstream_cannot_take_over_another_ones_model() -> None:
    pricing.register_upstream("other", UpstreamKind.OPENAI)
    sync(make_entry())

    report = pricing.sync("other", [make_entry(prompt="0.0000011"), make_entry("other/one")], actor="test")

    assert (report.skipped, report.added) == (["acme/one"], ["other/one"])
    assert prompt_price() == Decimal("0.000001")
    assert sync(make_entry()) == SyncReport()


def test_rubbish_and_doubles_are_reported_and_harm_nothing() -> None:
    report = sync(None, {"id": 5}, make_entry(), make_entry(prompt="1"))

    assert report.added == ["acme/one"]
    assert report.skipped == ["entry 1", "entry 2", "acme/one"]
    assert prompt_price() == Decimal("0.000001")


def test_a_price_in_force_is_never_rewritten() -> None:
    """Promise R7: a usage row's price version explains it for ever."""
    versions = [sync(make_entry(prompt=price)).price_version for price in ("0.000001", "0.000002", "0.000003")]

    with transaction() as session:
        rows = session.scalars(select(ModelPrice).order_by(ModelPrice.from_version)).all()
        facts = [(row.from_version, row.prompt, row.state) for row in rows]

    assert facts == [
        (version, Decimal(price), PriceState.IN_FORCE)
        for version, price in zip(versions, ("0.000001", "0.000002", "0.000003"), strict=True)
    ]
