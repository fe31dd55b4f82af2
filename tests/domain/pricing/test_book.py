"""The price book: what is for sale to whom, at which version and instant."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import db, transaction
from reseller.domain import pricing
from reseller.domain.pricing import Book, Model, PriceBook, Rule, RuleTerms
from reseller.domain.pricing.listing import read_listing
from reseller.domain.pricing.offer import ListedModel
from reseller.errors import NotForSale
from reseller.metering import FILE_TOKENS, IMAGE_TOKENS
from tests.domain.pricing.samples import NOON, SOMEBODY, SOMEBODY_ELSE, make_entry, make_listed, make_rates, make_rule
from tests.waiting import wait_until

LATER = NOON + timedelta(hours=1)


def make_book(models: Sequence[ListedModel] = (), rules: Sequence[Rule] = (), at: datetime = NOON) -> PriceBook:
    return PriceBook(version=7, models={model.slug: model for model in models or [make_listed()]}, rules=rules or [make_rule()], at=at)


def test_an_offer_fixes_version_rule_and_prices() -> None:
    rule = make_rule(markup_percent=Decimal("12.5"), min_cost_nano=500)

    offer = make_book(rules=[rule]).offer("acme/one", SOMEBODY)

    assert (offer.price_version, offer.rule_id, offer.markup_percent, offer.min_cost_nano) == (7, rule.id, Decimal("12.5"), 500)
    assert offer.sell_prices() == {"prompt": "0.000001125", "completion": "0.00000225"}
    assert offer.list_prices() == {"prompt": "0.000001", "completion": "0.000002"}
    assert not offer.is_free


def test_an_offer_is_worked_out_once() -> None:
    book = make_book()

    assert book.offer("acme/one", SOMEBODY) is book.offer("acme/one", SOMEBODY_ELSE)


@pytest.mark.parametrize("slug", ["acme/two", "", "acme/one ", "ACME/ONE", "x" * 10_000])
def test_an_unknown_model_is_not_for_sale(slug: str) -> None:
    with pytest.raises(NotForSale):
        make_book().offer(slug, None)


def test_a_model_without_a_rule_is_not_for_sale() -> None:
    book = make_book([make_listed("acme/one"), make_listed("other/one")], [make_rule("acme/*")])

    with pytest.raises(NotForSale):
        book.offer("other/one", None)
    assert [offer.model for offer in book.models_for(None)] == ["acme/one"]
    assert book.why_not("other/one", None) == "no pricing rule matches it"


def test_an_account_with_a_rule_of_its_own_has_its_own_offers() -> None:
    book = make_book(rules=[make_rule(), make_rule(account_id=SOMEBODY, markup_percent=Decimal(5))])

    assert book.offer("acme/one", SOMEBODY).markup_percent == Decimal(5)
    assert book.offer("acme/one", SOMEBODY_ELSE).markup_percent == Decimal(25)
    assert [offer.markup_percent for offer in book.models_for(SOMEBODY)] == [Decimal(5)]
    assert [offer.markup_percent for offer in book.models_for(None)] == [Decimal(25)]


def test_an_announced_rule_begins_at_its_instant() -> None:
    book = make_book(rules=[make_rule(), make_rule(effective_from=LATER, priority=1, markup_percent=Decimal(50))])

    assert book.valid_until == LATER
    assert book.offer("acme/one", None).markup_percent == Decimal(25)
    assert book.as_of(LATER).offer("acme/one", None).markup_percent == Decimal(50)
    assert book.as_of(LATER).valid_until is None


def test_the_end_of_a_quarantine_withdraws_the_model_without_any_clock_job() -> None:
    """R7: the old price stays at most 24 h."""
    book = make_book([make_listed(quarantine_ends_at=LATER)])

    assert book.offer("acme/one", None)
    assert book.valid_until == LATER
    with pytest.raises(NotForSale):
        book.as_of(LATER).offer("acme/one", None)


def test_attachments_hold_a_constant_each_and_never_more_than_the_context() -> None:
    offer = make_book([make_listed(context_length=100_000, rates=make_rates(image="0.001"))], [make_rule(markup_percent=Decimal(0))]).offer(
        "acme/one", None
    )

    one_image = offer.hold_terms(prompt_tokens=10, images=1).hold_nano(0)
    one_file = offer.hold_terms(prompt_tokens=10, files=1).hold_nano(0)

    assert one_image == (10 + IMAGE_TOKENS) * 1_000 + 1_000_000
    assert FILE_TOKENS > 100_000
    assert one_file == (10 + 100_000) * 1_000


def test_the_price_cap_matches_the_tier_that_is_held_for() -> None:
    entry = make_entry(overrides=[{"min_prompt_tokens": 100, "prompt": "0.000002"}])
    rates = read_listing(entry).rates
    offer = make_book([make_listed(rates=rates)]).offer("acme/one", None)

    assert offer.price_cap(offer.hold_terms(prompt_tokens=100))["prompt"] == "1"
    assert offer.price_cap(offer.hold_terms(prompt_tokens=101))["prompt"] == "2"
    assert offer.price_cap() == {"prompt": "2", "completion": "2", "request": "0", "image": "0"}


@pytest.fixture
def stocked(operator: None) -> Book:
    """One model under one rule in the database."""
    pricing.sync("openrouter", [make_entry()], actor="test")
    pricing.add_rule(RuleTerms("*", Decimal(25)), "test")
    engine = db.engine
    return Book(lambda: Session(engine))


def test_a_book_is_loaded_when_first_asked_for(stocked: Book) -> None:
    offer = stocked.snapshot.offer("acme/one", None)

    assert (offer.upstream, offer.upstream_model, offer.context_length) == ("openrouter", "acme/one", 8192)
    assert offer.price_version == pricing.current_version()


def test_a_book_is_loaded_again_only_when_the_version_moved(stocked: Book) -> None:
    before = stocked.snapshot
    pricing.add_rule(RuleTerms("*", Decimal(30)), "test")

    assert stocked.refresh_if_moved(before.version) is before
    after = stocked.refresh_if_moved(pricing.current_version())

    assert after.offer("acme/one", None).markup_percent == Decimal(30)
    assert stocked.snapshot is after
    assert before.offer("acme/one", None).markup_percent == Decimal(25)


def test_withdrawn_models_and_silent_upstreams_sell_nothing(stocked: Book) -> None:
    pricing.withdraw("acme/one", "test", reason="test")
    withdrawn = stocked.refresh()
    pricing.restore("acme/one", "test")
    pricing.set_upstream_active("openrouter", False, actor="test")
    silent = stocked.refresh()

    for book in (withdrawn, silent):
        with pytest.raises(NotForSale):
            book.offer("acme/one", None)
        assert book.why_not("acme/one", None) == "no active upstream offers it"


def test_a_quarantined_model_is_sold_at_its_old_price_for_a_day(stocked: Book) -> None:
    pricing.sync("openrouter", [make_entry(prompt="1")], actor="test")
    quarantined = stocked.refresh()
    with transaction() as session:
        session.get_one(Model, "acme/one").quarantined_at = now() - timedelta(hours=24)
    overdue = stocked.refresh()

    assert quarantined.offer("acme/one", None).rates.prompt == Decimal("0.000001")
    with pytest.raises(NotForSale):
        overdue.offer("acme/one", None)


def test_the_past_keeps_its_rates(stocked: Book) -> None:
    version = pricing.current_version()
    pricing.sync("openrouter", [make_entry(prompt="0.000002")], actor="test")

    assert stocked.rates_at(version, "acme/one").prompt == Decimal("0.000001")
    assert stocked.rates_at(pricing.current_version(), "acme/one").prompt == Decimal("0.000002")


class CountedLock:
    """A lock that tells how many have asked for it."""

    def __init__(self) -> None:
        self.asked = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.asked += 1
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def test_many_who_wait_share_one_load(stocked: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    gate = threading.Event()
    engine = db.engine

    def slow_session() -> Session:
        loads.append(1)
        gate.wait(10)
        return Session(engine)

    book, lock = Book(slow_session), CountedLock()
    monkeypatch.setattr(book, "_lock", lock)
    threads = [threading.Thread(target=book.refresh) for _ in range(8)]
    threads[0].start()
    wait_until(lambda: loads)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: lock.asked == 8)

    gate.set()
    for thread in threads:
        thread.join(10)

    # The first load began before the others asked, so it may have missed what they ask for: one more serves them all.
    assert len(loads) == 2
    assert book.snapshot.offer("acme/one", None)
