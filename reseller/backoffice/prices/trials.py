"""What the tester shows: one model under the rules of now, and a draft's effect on all of them."""

from dataclasses import dataclass
from uuid import UUID

from reseller.backoffice.editing import put_on_form
from reseller.backoffice.prices.forms import DraftForm, account_named
from reseller.domain import pricing
from reseller.domain.desk.naming import names_of_accounts
from reseller.domain.pricing import Candidate, Change, Fees, Offer, PriceBook, PriceLine, Rule, is_below_break_even
from reseller.errors import InvalidRequest, NotForSale

SHOWN_CANDIDATES = 50
SHOWN_CHANGES = 500


@dataclass(frozen=True, slots=True)
class TestedModel:
    """One model for one account (None: for anybody). `why_not` says why it is not for sale."""

    model: str
    account_id: UUID | None
    offer: Offer | None
    why_not: str | None
    prices: tuple[PriceLine, ...]
    is_losing: bool
    candidates: tuple[Candidate, ...]
    left_out: int  # candidates that are not shown


@dataclass(frozen=True, slots=True)
class Trial:
    """What was asked, as it was typed, and what came of it. `problems` are about the question itself."""

    model: str
    account: str
    problems: tuple[str, ...]
    now: TestedModel | None
    then: TestedModel | None  # with the draft published
    rule: Rule | None
    changes: tuple[Change, ...]
    patterns: dict[UUID, str]  # of every rule, the draft too
    account_names: dict[UUID, str]
    models: tuple[str, ...]  # for sale to everybody, to choose from
    apart: int  # accounts with rules of their own

    @property
    def shown_changes(self) -> tuple[Change, ...]:
        return self.changes[:SHOWN_CHANGES]

    @property
    def losing(self) -> int:
        """How many of the changed models would be sold at a loss."""
        return sum(change.is_losing for change in self.changes)


def run(form: DraftForm, model: str, account: str, book: PriceBook, fees: Fees) -> Trial:
    """The test of a model, of a draft, or of both. What cannot be read stands at its field, or in `problems`."""
    problems: list[str] = []
    slug = model.strip()[:200]
    try:
        account_id = account_named(account, param="account")
    except InvalidRequest as refusal:
        account_id = None
        problems.append(refusal.message)
    after, rule, replaced = _published(form, book)
    if replaced is not None and book.rule(replaced) is None:
        problems.append("The rule that this draft is to replace is retired already: somebody was faster. Look at the rules again.")
    tested = bool(slug) and not problems
    known = [candidate.rule for candidate in (after or book).ranking(slug, account_id)]
    return Trial(
        model=slug,
        account=account,
        problems=tuple(problems),
        now=_tested(slug, account_id, book, fees) if tested else None,
        then=_tested(slug, account_id, after, fees) if tested and after else None,
        rule=rule,
        changes=() if rule is None or after is None else _changes(book, after, rule, replaced, fees),
        patterns={each.id: each.model_pattern for each in [*known, *(c.rule for c in book.ranking(slug, account_id))]},
        account_names=names_of_accounts(rule.account_id for rule in known),
        models=tuple(offer.model for offer in book.models_for(None)),
        apart=book.accounts_apart,
    )


def _published(form: DraftForm, book: PriceBook) -> tuple[PriceBook | None, Rule | None, UUID | None]:
    """The book as it would be with the draft, and the draft as a rule."""
    if not form.is_given:
        return None, None, None
    try:
        replaced = form.replaced()
        rule = pricing.draft(form.terms())
    except InvalidRequest as refusal:
        put_on_form(form, refusal)
        return None, None, None
    return book.under(added=rule, instead_of=replaced), rule, replaced


def _changes(book: PriceBook, after: PriceBook, rule: Rule, replaced: UUID | None, fees: Fees) -> tuple[Change, ...]:
    """For whom the draft is, and for whom the rule was that it replaces."""
    old = None if replaced is None else book.rule(replaced)
    scopes = [rule.account_id] if old is None or old.account_id == rule.account_id else [rule.account_id, old.account_id]
    return tuple(change for scope in scopes for change in pricing.changes(book, after, scope, fees))


def _tested(slug: str, account_id: UUID | None, book: PriceBook, fees: Fees) -> TestedModel:
    ranked = book.ranking(slug, account_id)
    taking_part = [c for c in ranked if c.lost_because is None or not c.lost_because.startswith(("does not match", "for another"))]
    try:
        offer, why_not = book.offer(slug, account_id), None
    except NotForSale:
        offer, why_not = None, book.why_not(slug, account_id)
    return TestedModel(
        model=slug,
        account_id=account_id,
        offer=offer,
        why_not=why_not,
        prices=() if offer is None else pricing.price_lines(offer.rates, offer.markup_percent, fees),
        is_losing=offer is not None and not offer.is_free and is_below_break_even(offer.markup_percent, fees),
        candidates=tuple(taking_part[:SHOWN_CANDIDATES]),
        left_out=len(ranked) - len(taking_part[:SHOWN_CANDIDATES]),
    )
