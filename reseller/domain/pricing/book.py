"""The price book: an immutable picture of everything for sale, and the holder that keeps it current.

Read by every paid call, so an offer on a warm book is one look-up and a hold is integer sums.
It decides no access and holds no money. It is replaced when the price version moves, which the
admission commit reads, and by the clock where a rule or the end of a quarantine was announced.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import acting_as_operator, db
from reseller.domain.pricing.catalogue import rates_of
from reseller.domain.pricing.changes import as_rule
from reseller.domain.pricing.offer import ListedModel, Offer, listed_model, offer_of
from reseller.domain.pricing.rates import Rates
from reseller.domain.pricing.rules import Candidate, Rule, ranking, winner
from reseller.domain.pricing.tables import Model, ModelPrice, ModelStatus, PriceState, PriceVersion, PricingRule, Upstream
from reseller.errors import NotForSale

MAX_KEPT_RATES = 10_000

UNKNOWN_CONTEXT = 10_000_000
"""Tokens that no model has room for: the bound for one that is not listed any more."""


class PriceBook:
    """Everything for sale at one version and instant. Immutable; answers are remembered."""

    def __init__(self, *, version: int, models: Mapping[str, ListedModel], rules: Sequence[Rule], at: datetime) -> None:
        self.version = version
        self.at = at
        self._models = models
        self._rules = rules
        self._priced_apart = frozenset(rule.account_id for rule in rules if rule.account_id is not None)
        self._winners: dict[tuple[str, UUID | None], Offer | None] = {}
        self._compiled: dict[tuple[str, UUID], Offer] = {}
        self._lists: dict[UUID | None, list[Offer]] = {}
        instants = [rule.effective_from for rule in rules] + [model.quarantine_ends_at for model in models.values()]
        self.valid_until = min((instant for instant in instants if instant is not None and instant > at), default=None)

    def offer(self, model_slug: str, account_id: UUID | None) -> Offer:
        """The terms for this account (None: for anybody). Raises NotForSale for what it cannot buy, unknown models included."""
        key = (model_slug, account_id if account_id in self._priced_apart else None)
        try:
            offer = self._winners[key]
        except KeyError:
            offer = self._find(*key)
        if offer is None:
            raise NotForSale(f"The model '{model_slug[:200]}' does not exist or is not for sale.", param="model")
        return offer

    def most_tokens(self, model_slug: str) -> int:
        """More than the model can read or write for one choice (R8): twice its context, as far as that is known."""
        model = self._models.get(model_slug)
        return 2 * (UNKNOWN_CONTEXT if model is None else model.context_length)

    def models_for(self, account_id: UUID | None) -> list[Offer]:
        """All offers for this account, by name."""
        scope = account_id if account_id in self._priced_apart else None
        if scope not in self._lists:
            found = (self._find(slug, scope) for slug in sorted(self._models))
            self._lists[scope] = [offer for offer in found if offer is not None]
        return list(self._lists[scope])

    def ranking(self, model_slug: str, account_id: UUID | None) -> list[Candidate]:
        """Every rule with the reason why it does not price this model, the winner first."""
        return ranking(self._rules, model_slug, account_id=account_id, at=self.at)

    def why_not(self, model_slug: str, account_id: UUID | None) -> str:
        """Why the model is not for sale to this account, for staff."""
        model = self._models.get(model_slug)
        if model is None:
            return "no active upstream offers it"
        if model.quarantine_ends_at is not None and model.quarantine_ends_at <= self.at:
            return "its new price waits for a decision"
        return "no pricing rule matches it" if winner(self._rules, model_slug, account_id=account_id, at=self.at) is None else "it is"

    def won_by(self, rule_id: UUID) -> list[str]:
        """The models that this rule prices now: for its account, or for everybody without a rule of their own."""
        rule = self.rule(rule_id)
        return [] if rule is None else [offer.model for offer in self.models_for(rule.account_id) if offer.rule_id == rule_id]

    def rule(self, rule_id: UUID) -> Rule | None:
        """An active rule by its id."""
        return next((rule for rule in self._rules if rule.id == rule_id), None)

    @property
    def accounts_apart(self) -> int:
        """How many accounts have rules of their own."""
        return len(self._priced_apart)

    def under(self, *, added: Rule, instead_of: UUID | None = None) -> "PriceBook":
        """The same models with one more rule, or with it in the place of another: what publishing would make of this book."""
        rules = [rule for rule in self._rules if rule.id != instead_of]
        at = max(self.at, added.effective_from)  # this book is of a moment ago, when the rule did not hold yet
        return PriceBook(version=self.version, models=self._models, rules=[*rules, added], at=at)

    def as_of(self, at: datetime) -> "PriceBook":
        """The same facts at another instant."""
        return PriceBook(version=self.version, models=self._models, rules=self._rules, at=at)

    def _find(self, slug: str, scope: UUID | None) -> Offer | None:
        model = self._models.get(slug)
        if model is None:
            return None  # not remembered: strangers may ask for any name
        offer = None
        if model.quarantine_ends_at is None or model.quarantine_ends_at > self.at:
            rule = winner(self._rules, slug, account_id=scope, at=self.at)
            offer = None if rule is None else self._compile(model, rule)
        self._winners[slug, scope] = offer
        return offer

    def _compile(self, model: ListedModel, rule: Rule) -> Offer:
        key = (model.slug, rule.id)
        if key not in self._compiled:
            self._compiled[key] = offer_of(model, rule, self.version)
        return self._compiled[key]


class Book:
    """The current price book of this process. One loader at a time; others wait for its result."""

    def __init__(self, open_session: Callable[[], Session] | None = None) -> None:
        """`open_session` gives a session of its own, never a caller's; the default needs an app context when it loads."""
        self._open_session = open_session or _own_session
        self._lock = threading.Lock()
        self._snapshot: PriceBook | None = None
        self._loads_begun = 0
        self._rates: dict[tuple[int, str], Rates] = {}

    @property
    def snapshot(self) -> PriceBook:
        """The book in force at this instant; loads it when there is none yet."""
        book = self._snapshot
        if book is None:
            return self.refresh()
        if book.valid_until is not None and now() >= book.valid_until:
            book = self._snapshot = book.as_of(now())
        return book

    def refresh_if_moved(self, version: int) -> PriceBook:
        """The book, loaded anew if it is not of this version (the one that the admission commit has read)."""
        book = self._snapshot
        return book if book is not None and book.version == version else self.refresh()

    def refresh(self) -> PriceBook:
        """The book as the database had it at some instant after this call began; many who wait share one load."""
        begun_before = self._loads_begun
        with self._lock:
            if self._snapshot is None or self._loads_begun == begun_before:
                self._loads_begun += 1
                self._snapshot = self._loaded()
            return self._snapshot

    def rates_at(self, version: int, model_slug: str) -> Rates:
        """The rates that were in force at that version; remembered, since the past does not change. Raises NotForSale."""
        key = (version, model_slug)
        if key not in self._rates:
            with acting_as_operator(), self._open_session() as session:
                rates = rates_at(session, version, model_slug)
            if len(self._rates) >= MAX_KEPT_RATES:
                self._rates.clear()
            self._rates[key] = rates
        return self._rates[key]

    def _loaded(self) -> PriceBook:
        with acting_as_operator(), self._open_session() as session:
            # One picture for all queries, or a version could be paired with a later version's rules.
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            return load(session)


def _own_session() -> Session:
    return Session(db.engine)


def load(session: Session) -> PriceBook:
    """The book of the greatest committed version. The session must act for the operator and see one picture."""
    version = session.scalar(select(func.max(PriceVersion.version))) or 0
    in_force = (
        select(ModelPrice)
        .where(ModelPrice.state == PriceState.IN_FORCE)
        .ext(distinct_on(ModelPrice.model_slug))
        .order_by(ModelPrice.model_slug, ModelPrice.from_version.desc())
    )
    prices = {row.model_slug: (rates_of(row), row.observed_at) for row in session.scalars(in_force)}
    for_sale = select(Model).join(Upstream).where(Upstream.is_active, Model.status != ModelStatus.WITHDRAWN)
    models = {row.slug: listed_model(row, *prices[row.slug]) for row in session.scalars(for_sale) if row.slug in prices}
    rules = [as_rule(row) for row in session.scalars(select(PricingRule).where(PricingRule.is_active))]
    return PriceBook(version=version, models=models, rules=rules, at=now())


def rates_at(session: Session, version: int, model_slug: str) -> Rates:
    """The model's rates in force at that price version. Raises NotForSale if it had none."""
    row = session.scalar(
        select(ModelPrice)
        .where(ModelPrice.model_slug == model_slug, ModelPrice.state == PriceState.IN_FORCE, ModelPrice.from_version <= version)
        .order_by(ModelPrice.from_version.desc())
        .limit(1)
    )
    if row is None:
        raise NotForSale(f"The model '{model_slug[:200]}' had no price.", param="model")
    return rates_of(row)
