"""Packs and bonuses added, changed and removed by staff, or loaded from a file. What was bought before stays as it was bought."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.payments.packs import CENT, whole_cents
from reseller.domain.payments.tables import BonusTier, Pack
from reseller.errors import Conflict, InvalidRequest, NotFound
from reseller.money import format_decimal, parse_usd

MAX_LABEL_CHARACTERS = 40
PACK, TIER = ("amount_usd", "label", "is_offered"), ("from_usd", "bonus_percent")
Row = Pack | BonusTier
RowType = type[Pack] | type[BonusTier]


@dataclass(frozen=True, slots=True)
class PackTerms:
    """What a pack is: an amount in dollars, the words beside it, and whether customers see it."""

    amount_usd: Decimal
    label: str = ""
    is_offered: bool = True


def add_pack(terms: PackTerms, *, actor: str, reason: str) -> UUID:
    """A pack of these terms; its id. Raises InvalidRequest for what cannot be or without a reason, Conflict if there is one."""
    return _add(Pack(**_terms(terms)), actor, reason)


def change_pack(pack_id: UUID, terms: PackTerms, *, seen_version: int | None, actor: str, reason: str) -> None:
    """The pack is this from now on. Raises NotFound, and as `add_pack`; Conflict also if it was changed since `seen_version`."""
    _change(Pack, pack_id, _terms(terms), seen_version, actor, reason)


def remove_pack(pack_id: UUID, *, seen_version: int | None, actor: str, reason: str) -> None:
    """The pack is gone. Raises NotFound, InvalidRequest without a reason, Conflict if it was changed since `seen_version`."""
    _remove(Pack, pack_id, seen_version, actor, reason)


def add_tier(from_usd: Decimal, bonus_percent: Decimal, *, actor: str, reason: str) -> UUID:
    """From this amount on, so much on top; its id. Raises as `add_pack`."""
    return _add(BonusTier(from_usd=whole_cents(from_usd, param="from_usd"), bonus_percent=_percent(bonus_percent)), actor, reason)


def change_tier(tier_id: UUID, from_usd: Decimal, bonus_percent: Decimal, *, seen_version: int | None, actor: str, reason: str) -> None:
    """From this amount on, so much on top. Raises as `change_pack`."""
    wanted = {"from_usd": whole_cents(from_usd, param="from_usd"), "bonus_percent": _percent(bonus_percent)}
    _change(BonusTier, tier_id, wanted, seen_version, actor, reason)


def remove_tier(tier_id: UUID, *, seen_version: int | None, actor: str, reason: str) -> None:
    """No bonus from this amount on. Raises as `remove_pack`."""
    _remove(BonusTier, tier_id, seen_version, actor, reason)


def load(packs: Sequence[Mapping[str, Any]], bonuses: Sequence[Mapping[str, Any]], *, actor: str) -> int:
    """What the file names and is not there yet is there; how many of both were added. Changes and removes nothing.

    Raises InvalidRequest for an entry that cannot be.
    """
    added, reason = 0, "loaded from a file"
    with transaction() as session:
        offered, reached = set(session.scalars(select(Pack.amount_usd))), set(session.scalars(select(BonusTier.from_usd)))
        for entry in packs:
            amount = _number(entry, "amount_usd")
            if amount not in offered:
                add_pack(PackTerms(amount, str(entry.get("label", ""))), actor=actor, reason=reason)
                added += 1
        for entry in bonuses:
            start = _number(entry, "from_usd")
            if start not in reached:
                add_tier(start, _number(entry, "bonus_percent"), actor=actor, reason=reason)
                added += 1
    return added


def _add(row: Row, actor: str, reason: str) -> UUID:
    words = _reason(reason)
    with transaction() as session:
        session.add(row)
        _flush(session, row)
        _record(row, "add", {name: [None, value] for name, value in _facts(row).items()}, actor, words)
        return row.id


def _change(table: RowType, row_id: UUID, wanted: dict[str, Any], seen_version: int | None, actor: str, reason: str) -> None:
    words = _reason(reason)
    with transaction() as session:
        row = _locked(session, table, row_id)
        row.claim(seen_version)
        before = _facts(row)
        for name, value in wanted.items():
            setattr(row, name, value)
        _flush(session, row)
        changes = {name: [before[name], value] for name, value in _facts(row).items() if value != before[name]}
        _record(row, "change", changes, actor, words)


def _remove(table: RowType, row_id: UUID, seen_version: int | None, actor: str, reason: str) -> None:
    words = _reason(reason)
    with transaction() as session:
        row = _locked(session, table, row_id)
        row.claim(seen_version)
        _record(row, "remove", {name: [value, None] for name, value in _facts(row).items()}, actor, words)
        session.delete(row)


def _flush(session: Session, row: Row) -> None:
    """The row is in the transaction. The table itself says whether its amount is free: two people may have chosen it at once."""
    try:
        session.flush()
    except IntegrityError:
        raise Conflict("There is one of this amount already.", param=_columns(row)[0]) from None


def _locked(session: Session, table: RowType, row_id: UUID) -> Row:
    row = session.get(table, row_id, with_for_update=True, populate_existing=True)
    if not isinstance(row, Pack | BonusTier):
        raise NotFound("It is not there any more; somebody may have deleted it.")
    return row


def _record(row: Row, verb: str, changes: dict[str, list[Any]], actor: str, reason: str) -> None:
    kind = row.__tablename__.removesuffix("s")
    staff.record(actor, f"{kind}.{verb}", kind, row.id, reason=reason, changes=changes)


def _columns(row: Row) -> tuple[str, ...]:
    return PACK if isinstance(row, Pack) else TIER


def _facts(row: Row) -> dict[str, Any]:
    """As the audit log keeps them."""
    facts = {name: getattr(row, name) for name in _columns(row)}
    return {name: format_decimal(value) if isinstance(value, Decimal) else value for name, value in facts.items()}


def _terms(terms: PackTerms) -> dict[str, Any]:
    amount = whole_cents(terms.amount_usd, param="amount_usd")
    return {"amount_usd": amount, "label": _label(terms.label), "is_offered": terms.is_offered}


def _label(text: str) -> str:
    words = " ".join(text.split())
    if len(words) > MAX_LABEL_CHARACTERS or not words.isprintable():
        raise InvalidRequest(f"A label has at most {MAX_LABEL_CHARACTERS} printable characters.", param="label")
    return words


def _percent(percent: Decimal) -> Decimal:
    if not percent.is_finite() or not 0 < percent <= 100 or percent != percent.quantize(CENT):
        raise InvalidRequest("A bonus is more than 0 and at most 100 percent, with two places at most.", param="bonus_percent")
    return percent


def _number(entry: Mapping[str, Any], name: str) -> Decimal:
    try:
        return parse_usd(str(entry[name]))
    except (KeyError, ValueError):
        raise InvalidRequest(f"Each entry has {name}, a plain decimal number in quotes.", param=name) from None


def _reason(text: str) -> str:
    if not text.strip():
        raise InvalidRequest("Say why; the audit log keeps it.", param="reason")
    return text.strip()
