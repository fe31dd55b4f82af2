"""Movements of money in a customer's words."""

from datetime import date

from reseller.domain.ledger import EntryKind
from reseller.domain.ledger.history import EntryLine
from reseller.domain.ledger.statement import StatementLine
from reseller.domain.payments.reading import Reversal
from reseller.money import display_usd, exact_usd, to_usd

KINDS = {
    EntryKind.TOP_UP: "Top-up",
    EntryKind.BONUS: "Bonus",
    EntryKind.USAGE: "Usage",
    EntryKind.REFUND: "Refund",
    EntryKind.DISPUTE: "Dispute",
    EntryKind.ADJUSTMENT: "Adjustment",
}

PLURALS = {
    EntryKind.TOP_UP: "Top-ups",
    EntryKind.BONUS: "Bonuses",
    EntryKind.USAGE: "Usage",
    EntryKind.REFUND: "Refunds",
    EntryKind.DISPUTE: "Disputes",
    EntryKind.ADJUSTMENT: "Adjustments",
}


def month_name(month: date) -> str:
    """ "November 2026" """
    return month.strftime("%B %Y")


def day_name(day: date) -> str:
    """ "25 Nov 2026" """
    return day.strftime("%-d %b %Y")


def title_of(kind: EntryKind, amount_nano: int, usage_day: date | None = None) -> str:
    """What happened, in a few words."""
    if kind == EntryKind.USAGE and usage_day is not None:
        return f"Usage of {day_name(usage_day)}"
    if kind == EntryKind.DISPUTE:
        return "Disputed payment withdrawn" if amount_nano < 0 else "Disputed payment given back"
    if kind == EntryKind.REFUND:
        return "Refund" if amount_nano < 0 else "Refund that did not reach you"
    if kind == EntryKind.BONUS:
        return "Bonus" if amount_nano > 0 else "Bonus of a payment that went back"
    if kind == EntryKind.ADJUSTMENT:
        return "Credit from us" if amount_nano > 0 else "Correction by us"
    return KINDS[kind]


def below_zero(reversal: Reversal | None) -> str:
    """Why the balance is below zero."""
    if reversal is None:
        return "Your balance is below zero after a refund or a dispute."
    amount = "a payment" if reversal.payment_usd is None else f"a payment of {display_usd(reversal.payment_usd)}"
    became = "was taken back by your bank in a dispute" if reversal.is_dispute else "was refunded"
    return f"Your balance is below zero: {amount} {became}, and part of the credit that it had bought is spent."


def until_above_zero(available_nano: int) -> str:
    """What it means, and what ends it."""
    missing = exact_usd(to_usd(-available_nano))
    return f"Paid calls are refused until it is above zero again: a top-up of more than {missing} does that at once."


def of_entry(line: EntryLine) -> str:
    return title_of(line.kind, line.amount_nano, line.usage_day)


def of_line(line: StatementLine) -> str:
    """Beside its day."""
    title = title_of(line.kind, line.amount_nano)
    return f"{title} so far" if line.entry_id is None else title


def note_of(line: EntryLine | StatementLine) -> str:
    """Why, as whoever did it wrote it for the customer; nothing where the title says it all."""
    is_told = line.kind == EntryKind.USAGE or line.reason.lower() == KINDS[line.kind].lower()
    return "" if is_told else line.reason
