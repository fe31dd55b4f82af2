"""What stands in the way of an account's next call, in its people's words: what it is, and what to do. Pure."""

from dataclasses import dataclass
from uuid import UUID

from reseller.domain.payments.reading import Reversal
from reseller.domain.standing import KeySpend, Standing, Use
from reseller.domain.standing.limiting import CONCURRENT
from reseller.money import display_usd
from reseller.portal.billing import words
from reseller.web.formats import counted

PERIODS = {
    "lifetime": ("in all", "It can be used again once its limit is raised, or make another key."),
    "day": ("a day", "It works again after midnight UTC."),
    "week": ("a week", "It works again on Monday, UTC."),
    "month": ("a month", "It works again on the first of next month, UTC."),
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`needs_support`: only we can help, so the page says where to write; `needs_credit`: more credit helps."""

    title: str
    help: str
    tone: str = "warn"
    needs_support: bool = False
    needs_credit: bool = False
    payment_id: UUID | None = None  # whose page tells more


def obstacles(now: Standing, reversal: Reversal | None = None) -> list[Obstacle]:
    """The most serious first; empty where the next call is let in. `reversal`: what took credit off the account last."""
    return [
        *_of_account(now, reversal),
        *(_of_use(use) for use in now.uses if use.is_full),
        *(_of_key(key) for key in now.near_keys if key.is_full),
    ]


def _of_account(now: Standing, reversal: Reversal | None) -> list[Obstacle]:
    found = []
    if now.is_suspended:
        found.append(
            Obstacle(
                "Your account is suspended.",
                "Its keys are refused for now. Your balance is untouched and your pages stay open.",
                tone="bad",
                needs_support=True,
            )
        )
    if now.is_halted:
        found.append(
            Obstacle(
                "Calls are paused while we check your account’s books.",
                "Something did not add up, so we stopped before charging you wrongly. You need not do anything.",
                tone="bad",
                needs_support=True,
            )
        )
    if now.is_frozen:
        found.append(
            Obstacle(
                words.below_zero(reversal),
                words.until_above_zero(now.balance.available_nano),
                tone="bad",
                needs_credit=True,
                payment_id=reversal.payment_id if reversal else None,
            )
        )
    elif now.is_empty and now.balance.held_nano:
        found.append(
            Obstacle(
                "Everything you have is held for calls that are running.",
                "What they do not use comes back when they end. With more credit you can make more calls at once.",
                needs_credit=True,
            )
        )
    elif now.is_empty:
        found.append(Obstacle("You have no credit.", "Paid calls are refused; calls with a test key go on working.", needs_credit=True))
    return found


def _of_use(use: Use) -> Obstacle:
    if use.name == CONCURRENT:
        return Obstacle(
            f"{use.used:,} of {counted(use.limit, 'call')} at once {'is' if use.used == 1 else 'are'} running.",
            "The next one is let in when one of them ends. Programs should wait as long as Retry-After says and try again.",
        )
    return Obstacle(
        f"Your {counted(use.limit, 'call')} for this {use.name} {'is' if use.limit == 1 else 'are'} used.",
        f"The next one gets through {_soon(use.free_in_seconds)}. Programs should wait as long as Retry-After says and try again.",
    )


def _of_key(key: KeySpend) -> Obstacle:
    span, end = PERIODS[key.period]
    return Obstacle(f"The key “{key.name}” has used its limit of {display_usd(key.limit_usd)} {span}.", end)


def _soon(seconds: float) -> str:
    whole = max(int(seconds) + 1, 1)
    if whole < 90:
        return f"in about {whole} s"
    return f"in about {whole // 60} min" if whole < 5400 else f"in about {whole // 3600} h"
