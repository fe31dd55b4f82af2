"""Models as staff look at them: what the upstream asks, what we ask, the history of a price, and prices that wait for a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import transaction
from reseller.domain.desk.actors import names_of
from reseller.domain.pricing import (
    PRICE_FIELDS,
    Fees,
    Model,
    ModelPrice,
    ModelStatus,
    Offer,
    PriceBook,
    PriceLine,
    PriceState,
    PriceVersion,
    Rates,
    is_below_break_even,
    margin_of,
    marked_up,
    price_lines,
)
from reseller.domain.pricing.catalogue import QUARANTINE, rates_of
from reseller.domain.pricing.trial import PER_PIECE
from reseller.errors import NotForSale, NotFound
from reseller.money import percent_of

HISTORY_ROWS = 200
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model in the list. Prices are per token, discount off; None where there is none, or where it is not for sale."""

    slug: str
    name: str
    kind: str
    upstream: str
    status: str
    status_reason: str | None
    context_length: int | None
    prompt_usd: Decimal | None
    completion_usd: Decimal | None
    sell_prompt_usd: Decimal | None
    sell_completion_usd: Decimal | None
    markup_percent: Decimal | None
    rule_id: UUID | None
    kept_percent: Decimal | None  # of a charge, after fees
    is_losing: bool
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """One price, old and new. `times` is how many times the old one, None from or to nothing."""

    field: str
    is_per_piece: bool
    old_usd: Decimal | None
    new_usd: Decimal | None
    times: Decimal | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A price that waits for staff. `left` is until the model is withdrawn, nothing when that has happened."""

    slug: str
    name: str
    status: str
    price_id: UUID
    reason: str | None
    since: datetime
    ends_at: datetime
    left: timedelta
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class PastPrice:
    """One price that the upstream listed, whatever became of it. `prices` are those it named, before the discount."""

    id: UUID
    version: int
    at: datetime
    reason: str
    by: str
    state: str
    observed_at: datetime
    prompt_usd: Decimal | None
    completion_usd: Decimal | None
    others: tuple[tuple[str, Decimal], ...]
    discount_percent: Decimal | None
    overrides: int


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Everything about one model."""

    line: ModelLine
    description: str
    upstream_model: str
    max_completion_tokens: int | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    supported_parameters: tuple[str, ...]
    expires_on: date | None
    first_seen_at: datetime
    last_seen_at: datetime
    why_not: str | None
    prices: tuple[PriceLine, ...]
    waiting: Waiting | None
    history: tuple[PastPrice, ...]


def lines(rows: Sequence[Model], book: PriceBook, fees: Fees) -> tuple[ModelLine, ...]:
    """The models with their prices: one query for all of them."""
    with transaction() as session:
        rates = _in_force(session, [row.slug for row in rows])
    return tuple(_line(row, rates.get(row.slug), book, fees) for row in rows)


def page(slug: str, book: PriceBook, fees: Fees) -> ModelPage:
    """One model. Raises NotFound."""
    with transaction() as session:
        row = None if "\x00" in slug else session.get(Model, slug)
        if row is None:
            raise NotFound("There is no such model in the catalogue.")
        rates = _in_force(session, [slug]).get(slug)
        waiting = _waiting(session, [row])
        history = _history(session, slug)
        line = _line(row, rates, book, fees)
        return ModelPage(
            line=line,
            description=row.description,
            upstream_model=row.upstream_model,
            max_completion_tokens=row.max_completion_tokens,
            input_modalities=tuple(row.input_modalities),
            output_modalities=tuple(row.output_modalities),
            supported_parameters=tuple(sorted(row.supported_parameters)),
            expires_on=row.expires_on,
            first_seen_at=row.first_seen_at,
            last_seen_at=row.last_seen_at,
            why_not=book.why_not(slug, None) if line.rule_id is None else None,
            prices=() if rates is None else price_lines(rates, line.markup_percent or Decimal(0), fees),
            waiting=waiting[0] if waiting else None,
            history=history,
        )


def queue() -> tuple[Waiting, ...]:
    """Prices that wait for a decision, the one with the least time first."""
    with transaction() as session:
        rows = session.scalars(select(Model).where(Model.quarantined_at.is_not(None)).order_by(Model.quarantined_at, Model.slug)).all()
        return _waiting(session, rows)


def _line(row: Model, rates: Rates | None, book: PriceBook, fees: Fees) -> ModelLine:
    offer = _offer(book, row.slug)
    plain = None if rates is None else rates.plain()
    markup = None if offer is None else offer.markup_percent
    prompt, completion = (None, None) if plain is None else (plain.prompt, plain.completion)
    return ModelLine(
        slug=row.slug,
        name=row.name,
        kind=row.kind,
        upstream=row.upstream,
        status=row.status,
        status_reason=row.status_reason,
        context_length=row.context_length,
        prompt_usd=prompt,
        completion_usd=completion,
        sell_prompt_usd=_sold(prompt, markup),
        sell_completion_usd=_sold(completion, markup),
        markup_percent=markup,
        rule_id=None if offer is None else offer.rule_id,
        kept_percent=None if offer is None or offer.is_free else margin_of(ONE, offer.markup_percent, fees).kept_percent,
        is_losing=offer is not None and not offer.is_free and is_below_break_even(offer.markup_percent, fees),
        is_waiting=row.quarantined_at is not None,
    )


def _offer(book: PriceBook, slug: str) -> Offer | None:
    try:
        return book.offer(slug, None)
    except NotForSale:
        return None


def _sold(price_usd: Decimal | None, markup_percent: Decimal | None) -> Decimal | None:
    return None if price_usd is None or markup_percent is None else marked_up(price_usd, markup_percent)


def _in_force(session: Session, slugs: Sequence[str]) -> dict[str, Rates]:
    query = (
        select(ModelPrice)
        .where(ModelPrice.model_slug.in_(slugs), ModelPrice.state == PriceState.IN_FORCE)
        .ext(distinct_on(ModelPrice.model_slug))
        .order_by(ModelPrice.model_slug, ModelPrice.from_version.desc())
    )
    return {row.model_slug: rates_of(row) for row in session.scalars(query)}


def _waiting(session: Session, rows: Sequence[Model]) -> tuple[Waiting, ...]:
    open_rows = [row for row in rows if row.quarantined_at is not None]
    old = _in_force(session, [row.slug for row in open_rows])
    query = select(ModelPrice).where(ModelPrice.model_slug.in_([row.slug for row in open_rows]), ModelPrice.state == PriceState.QUARANTINED)
    new = {row.model_slug: row for row in session.scalars(query)}
    return tuple(_one_waiting(row, old.get(row.slug), new[row.slug]) for row in open_rows if row.slug in new)


def _one_waiting(row: Model, old: Rates | None, price: ModelPrice) -> Waiting:
    assert row.quarantined_at is not None
    ends_at = row.quarantined_at + QUARANTINE
    is_over = row.status == ModelStatus.WITHDRAWN
    return Waiting(
        slug=row.slug,
        name=row.name,
        status=row.status,
        price_id=price.id,
        reason=row.status_reason,
        since=row.quarantined_at,
        ends_at=ends_at,
        left=timedelta(0) if is_over else max(ends_at - now(), timedelta(0)),
        comparisons=_compared(old or Rates(), rates_of(price)),
    )


def _compared(old: Rates, new: Rates) -> tuple[Comparison, ...]:
    was, becomes = old.plain(), new.plain()
    pairs = ((name, getattr(was, name), getattr(becomes, name)) for name in PRICE_FIELDS)
    return tuple(
        Comparison(name, name in PER_PIECE, before, after, percent_of(after, before).scaleb(-2) if before and after else None)
        for name, before, after in pairs
        if before != after
    )


def _history(session: Session, slug: str) -> tuple[PastPrice, ...]:
    query = (
        select(ModelPrice, PriceVersion)
        .join(PriceVersion, PriceVersion.version == ModelPrice.from_version)
        .where(ModelPrice.model_slug == slug)
        .order_by(ModelPrice.from_version.desc())
        .limit(HISTORY_ROWS)
    )
    found = [(price, version) for price, version in session.execute(query)]
    actors = names_of(version.actor for _, version in found)
    return tuple(_past(price, version, actors[version.actor]) for price, version in found)


def _past(price: ModelPrice, version: PriceVersion, by: str) -> PastPrice:
    others = ((name, getattr(price, name)) for name in PRICE_FIELDS if name not in ("prompt", "completion"))
    return PastPrice(
        id=price.id,
        version=version.version,
        at=version.created_at,
        reason=version.reason,
        by=by,
        state=price.state,
        observed_at=price.observed_at,
        prompt_usd=price.prompt,
        completion_usd=price.completion,
        others=tuple((name, amount) for name, amount in others if amount is not None),
        discount_percent=None if price.discount is None else price.discount.scaleb(2),
        overrides=len(price.overrides),
    )
