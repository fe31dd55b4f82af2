"""What an upstream lists becomes what we sell: models appear, change, vanish, or wait for staff (promise R7).

A list is untrusted: prices that cannot be are never taken over, and ones that jump are
quarantined while the old ones hold for at most 24 h. The verbs here are transactions of their
own; the list itself is fetched by whoever calls, before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.pricing.changes import bump, lock_prices
from reseller.domain.pricing.listing import Listing, read_listing
from reseller.domain.pricing.rates import PRICE_FIELDS, Override, Rates, suspicious_change
from reseller.domain.pricing.tables import Model, ModelKind, ModelPrice, ModelStatus, PriceState, Upstream
from reseller.errors import Conflict, NotFound

QUARANTINE = timedelta(hours=24)
MAX_ENTRIES = 10_000
VANISHED = "no longer listed by the upstream"
UNDECIDED = "its new price was not decided upon within 24 hours"

_FACTS = ("name", "description", "kind", "context_length", "max_completion_tokens", "expires_on")
_LISTS = ("input_modalities", "output_modalities", "supported_parameters")


@dataclass(slots=True)
class SyncReport:
    """Names of models by what happened to them; `reasons` says why, where there is a why."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    price_version: int | None = None  # the version this sync made; None if it changed nothing


def sync(upstream_name: str, entries: Sequence[Any], *, actor: str) -> SyncReport:
    """The models of this upstream are those of the list, save what is doubtful. The same list twice changes nothing.

    `entries` are as the upstream sent them, numbers parsed exactly. Raises NotFound for an unknown
    upstream and Conflict for a list that is empty or absurdly long: nothing is withdrawn by accident.
    """
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise Conflict(f"the upstream lists {len(entries)} models; nothing was changed")
    with transaction() as session:
        lock_prices()
        if session.get(Upstream, upstream_name) is None:
            raise NotFound(f"there is no upstream {upstream_name}")
        run = _Run(session, upstream_name, actor)
        seen = {listing.slug for listing in run.readable(entries) if run.take(listing)}
        run.withdraw_all_but(seen)
        session.flush()
        return run.report


def accept(slug: str, actor: str, *, reason: str = "", seen: UUID | None = None) -> None:
    """The waiting price is in force from now on and the model is for sale. Raises NotFound; Conflict if none waits or it is incomplete.

    `seen` is the id of the price that was looked at: Conflict if another one waits by now.
    """
    with transaction() as session:
        model, waiting = _waiting(session, slug, seen)
        complete = waiting.prompt is not None and (waiting.completion is not None or model.kind == ModelKind.EMBEDDING)
        if not complete:
            raise Conflict(f"the new price of {slug} cannot be sold: {model.status_reason}")
        waiting.from_version = bump(f"price of {slug} accepted", actor)
        waiting.state = PriceState.IN_FORCE
        _sell_again(model)
        staff.record(actor, "model_price.accept", "model", slug, reason=reason)
        session.flush()


def reject(slug: str, actor: str, *, reason: str = "", seen: UUID | None = None) -> None:
    """The waiting price is refused, also when it is listed again; the old one stays and the model is for sale. Raises as `accept`."""
    with transaction() as session:
        model, waiting = _waiting(session, slug, seen)
        waiting.state = PriceState.REJECTED
        _sell_again(model)
        bump(f"price of {slug} rejected", actor)
        staff.record(actor, "model_price.reject", "model", slug, reason=reason)
        session.flush()


def withdraw(slug: str, actor: str, *, reason: str, seen: str | None = None) -> None:
    """The model is not for sale until `restore`, whatever the upstream lists. Raises NotFound; Conflict if its status is not `seen`."""
    with transaction() as session:
        lock_prices()
        model = _model(session, slug, seen)
        model.status, model.status_reason = ModelStatus.WITHDRAWN, reason or "withdrawn by staff"
        bump(f"{slug} withdrawn", actor)
        staff.record(actor, "model.withdraw", "model", slug, reason=reason)
        session.flush()


def restore(slug: str, actor: str, *, reason: str = "", seen: str | None = None) -> None:
    """The model is for sale again at its price in force. Raises NotFound; Conflict while a price waits, or if its status is not `seen`."""
    with transaction() as session:
        lock_prices()
        model = _model(session, slug, seen)
        if model.quarantined_at is not None:
            raise Conflict(f"a new price of {slug} waits: accept or reject it")
        _sell_again(model)
        bump(f"{slug} restored", actor)
        staff.record(actor, "model.restore", "model", slug, reason=reason)
        session.flush()


def expire_quarantine() -> list[str]:
    """Models whose new price waited 24 h are withdrawn until staff decide; their names."""
    with transaction() as session:
        lock_prices()
        overdue = session.scalars(
            select(Model).where(Model.status == ModelStatus.QUARANTINED, Model.quarantined_at <= now() - QUARANTINE).order_by(Model.slug)
        ).all()
        for model in overdue:
            model.status, model.status_reason = ModelStatus.WITHDRAWN, UNDECIDED
        if overdue:
            bump("quarantine ended", "system:clock")
        session.flush()
        return [model.slug for model in overdue]


def rates_of(row: ModelPrice) -> Rates:
    """The row's prices as the domain reasons about them."""
    prices = {name: getattr(row, name) for name in PRICE_FIELDS}
    return Rates(**prices, discount=row.discount, overrides=tuple(Override.from_json(item) for item in row.overrides))


class _Run:
    """One sync inside its transaction. The version is made with the first change and not before."""

    def __init__(self, session: Session, upstream_name: str, actor: str) -> None:
        self.report = SyncReport()
        self._session = session
        self._upstream = upstream_name
        self._actor = actor
        self._at = now()
        self._models = {model.slug: model for model in session.scalars(select(Model))}
        self._prices: dict[str, list[ModelPrice]] = {}
        rows = select(ModelPrice).join(Model).where(Model.upstream == upstream_name).order_by(ModelPrice.from_version.desc())
        for row in session.scalars(rows):
            self._prices.setdefault(row.model_slug, []).append(row)

    def readable(self, entries: Sequence[Any]) -> list[Listing]:
        """The entries that name a model, each name once; the others are reported."""
        listings: dict[str, Listing] = {}
        for position, entry in enumerate(entries):
            try:
                listing = read_listing(entry)
            except ValueError as error:
                self._skip(f"entry {position + 1}", str(error))
                continue
            if listing.slug in listings:
                self._skip(listing.slug, "listed twice; the first one counts")
            listings.setdefault(listing.slug, listing)
        return list(listings.values())

    def take(self, listing: Listing) -> bool:
        """Whether this listing is about a model of this upstream; then it is up to date."""
        model = self._models.get(listing.slug)
        if model is None:
            return self._add(listing)
        if model.upstream != self._upstream:
            self._skip(listing.slug, f"sold from {model.upstream} already")
            return False
        model.last_seen_at = self._at
        if model.status == ModelStatus.WITHDRAWN and model.status_reason != VANISHED:
            self._skip(listing.slug, f"withdrawn: {model.status_reason}")
            return True
        changed = self._describe(model, listing)
        if self._reprice(model, listing) or changed:
            self._note(self.report.changed, model.slug)
        return True

    def withdraw_all_but(self, seen: set[str]) -> None:
        """Models of this upstream that the list no longer has are not for sale until it has them again."""
        for slug, model in sorted(self._models.items()):
            if model.upstream == self._upstream and slug not in seen and model.status != ModelStatus.WITHDRAWN:
                model.status, model.status_reason = ModelStatus.WITHDRAWN, VANISHED
                self._note(self.report.withdrawn, slug)

    def _add(self, listing: Listing) -> bool:
        if listing.problem:
            self._skip(listing.slug, listing.problem)
            return False
        model = Model(
            slug=listing.slug, upstream=self._upstream, upstream_model=listing.slug, first_seen_at=self._at, last_seen_at=self._at
        )
        self._describe(model, listing)
        self._session.add(model)
        self._session.flush()
        self._note(self.report.added, listing.slug)
        self._price(listing.slug, listing.rates, PriceState.IN_FORCE)
        return True

    def _describe(self, model: Model, listing: Listing) -> bool:
        facts = {name: getattr(listing, name) for name in _FACTS} | {name: list(getattr(listing, name)) for name in _LISTS}
        different = {name: value for name, value in facts.items() if getattr(model, name) != value}
        for name, value in different.items():
            setattr(model, name, value)
        return bool(different)

    def _reprice(self, model: Model, listing: Listing) -> bool:
        """Whether price or status changed without a doubt."""
        rows = self._prices.get(model.slug, [])
        in_force = next(rates_of(row) for row in rows if row.state == PriceState.IN_FORCE)
        doubt = listing.problem or suspicious_change(in_force, listing.rates)
        if doubt and not self._was_rejected(rows, listing.rates):
            self._quarantine(model, listing.rates, doubt)
            return False
        changed = model.status != ModelStatus.ACTIVE or model.quarantined_at is not None
        self._supersede_waiting(rows)
        _sell_again(model)
        if not doubt and listing.rates != in_force:
            self._price(model.slug, listing.rates, PriceState.IN_FORCE)
            changed = True
        return changed

    def _quarantine(self, model: Model, rates: Rates, doubt: str) -> None:
        rows = self._prices.get(model.slug, [])
        waiting = next((row for row in rows if row.state == PriceState.QUARANTINED), None)
        if waiting is not None and rates_of(waiting) == rates and model.status == ModelStatus.QUARANTINED:
            return
        self._supersede_waiting(rows)
        model.status, model.status_reason = ModelStatus.QUARANTINED, doubt
        model.quarantined_at = model.quarantined_at or self._at
        self._price(model.slug, rates, PriceState.QUARANTINED)
        self._note(self.report.quarantined, model.slug, doubt)

    def _was_rejected(self, rows: list[ModelPrice], rates: Rates) -> bool:
        """Whether staff have refused exactly this price, and nothing came in force since."""
        latest = rows[0]
        return latest.state == PriceState.REJECTED and rates_of(latest) == rates

    def _supersede_waiting(self, rows: list[ModelPrice]) -> None:
        for row in rows:
            if row.state == PriceState.QUARANTINED:
                row.state = PriceState.SUPERSEDED

    def _price(self, slug: str, rates: Rates, state: PriceState) -> None:
        prices = {name: getattr(rates, name) for name in PRICE_FIELDS}
        overrides = [override.to_json() for override in rates.overrides]
        row = ModelPrice(model_slug=slug, from_version=self._version(), state=state, overrides=overrides, observed_at=self._at, **prices)
        row.discount = rates.discount
        self._session.add(row)

    def _note(self, names: list[str], slug: str, reason: str | None = None) -> None:
        self._version()
        names.append(slug)
        if reason:
            self.report.reasons[slug] = reason

    def _skip(self, slug: str, reason: str) -> None:
        self.report.skipped.append(slug)
        self.report.reasons.setdefault(slug, reason)

    def _version(self) -> int:
        if self.report.price_version is None:
            self.report.price_version = bump(f"catalogue of {self._upstream}", self._actor)
        return self.report.price_version


def _sell_again(model: Model) -> None:
    model.status, model.status_reason, model.quarantined_at = ModelStatus.ACTIVE, None, None


def _model(session: Session, slug: str, seen: str | None = None) -> Model:
    model = session.get(Model, slug, populate_existing=True)
    if model is None:
        raise NotFound(f"there is no model {slug}")
    if seen is not None and seen != model.status:
        raise Conflict(f"{slug} is {model.status} by now: somebody else decided in the meantime. Nothing was changed.")
    return model


def _waiting(session: Session, slug: str, seen: UUID | None) -> tuple[Model, ModelPrice]:
    lock_prices()
    model = _model(session, slug)
    row = session.scalar(select(ModelPrice).where(ModelPrice.model_slug == slug, ModelPrice.state == PriceState.QUARANTINED))
    if row is None:
        raise Conflict(f"no price of {slug} waits for a decision")
    if seen is not None and seen != row.id:
        raise Conflict(f"Another price of {slug} waits by now. Nothing was decided; look at the new one.")
    return model, row
