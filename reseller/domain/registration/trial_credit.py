"""Credit to try the shop with: once for a mailbox, a few times for a network, for people whose address is verified.

That a mailbox gets it once is said by the ledger itself: the entry's reference is made of the mailbox, and references are
unique. Spellings that arrive in the same mailbox count as one.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import structlog
from sqlalchemy import func, select

from reseller.clock import first_id, now
from reseller.database import lock_name, transaction
from reseller.digest import digest_of
from reseller.domain import staff
from reseller.domain.accounts import Person, normal_email
from reseller.domain.identity.throttle import network_of
from reseller.domain.ledger import EntryDraft, EntryKind, LedgerEntry, post
from reseller.domain.staff import StaffAction
from reseller.money import format_decimal, to_nano

ACTOR = "system:trial credit"
ACTION = "account.grant_trial_credit"
REASON = "Trial credit"
MOST_FOR_A_NETWORK, NETWORK_COUNTS_FOR = 3, timedelta(days=30)
WITHOUT_DOTS = frozenset({"gmail.com", "googlemail.com"})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Trial:
    """What a newcomer gets, and where they come from. Nothing of zero dollars is given."""

    amount_usd: Decimal
    address: str  # of the network


def grant_trial_credit(person: Person, trial: Trial) -> bool:
    """The account has trial credit; False if this deployment gives none, or the mailbox or the network has had its share.

    Only for somebody whose address is verified. Joins the caller's transaction.
    """
    if trial.amount_usd <= 0:
        return False
    network, reference = network_of(trial.address), f"trial:{digest_of(mailbox_of(person.email))}"
    with transaction() as session:
        for name in sorted((f"trial:{network}", reference)):  # always in this order, so that two never wait for each other in a circle
            lock_name(name)
        had = session.scalar(select(LedgerEntry.id).where(LedgerEntry.kind == EntryKind.ADJUSTMENT, LedgerEntry.reference == reference))
        if had is not None or _given_to(network) >= MOST_FOR_A_NETWORK:
            log.info("trial_credit_refused", account_id=str(person.account_id), by="network" if had is None else "mailbox")
            return False
        post(EntryDraft(person.account_id, EntryKind.ADJUSTMENT, to_nano(trial.amount_usd), reference, ACTOR, reason=REASON))
        staff.record(
            ACTOR,
            ACTION,
            "account",
            person.account_id,
            account_id=person.account_id,
            changes={"amount_usd": [None, format_decimal(trial.amount_usd)], "network": [None, network]},
        )
    return True


def mailbox_of(email: str) -> str:
    """One name for all spellings of an address that arrive in the same mailbox."""
    local, _, domain = normal_email(email).rpartition("@")
    local = local.partition("+")[0]
    if domain in WITHOUT_DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def _given_to(network: str) -> int:
    """How often somebody from this network has had trial credit lately."""
    query = select(func.count()).where(
        StaffAction.action == ACTION,
        StaffAction.id >= first_id(now() - NETWORK_COUNTS_FOR),
        StaffAction.changes["network"][1].astext == network,
    )
    with transaction() as session:
        return session.scalar(query) or 0
