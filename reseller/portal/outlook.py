"""How long an account's money lasts at its pace, in words; honest where there is too little to go by. Pure."""

from dataclasses import dataclass

from reseller.domain.usage.pace import Pace
from reseller.money import to_nano

LOW_DAYS = 3
A_YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Outlook:
    """`lasts` is the figure, `note` says what it is made from; `is_low`: more credit is needed soon."""

    lasts: str
    note: str
    is_low: bool = False


def in_words(available_nano: int, pace: Pace) -> Outlook:
    """How long so much money lasts. The pace of an account that began within a day says nothing yet."""
    if available_nano < 0:
        return Outlook("0 days", "the balance is below zero", is_low=True)
    if available_nano == 0:
        return Outlook("0 days", "nothing is available", is_low=True)
    if not pace.charge_usd:
        return Outlook("–", "nothing was charged in the last 7 days")
    if pace.days < 2:
        return Outlook("–", "too early to say: known after a day of use")
    hours = 24 * available_nano * pace.days // to_nano(pace.charge_usd)
    return Outlook(_length(hours), f"at the pace of the last {pace.days} days", is_low=hours < 24 * LOW_DAYS)


def _length(hours: int) -> str:
    if hours < 48:
        return "under an hour" if hours < 1 else f"{hours} hour{'s' if hours > 1 else ''}"
    return f"{hours // 24} days" if hours // 24 <= A_YEAR_DAYS else "over a year"
