"""The set-up list: what must be true before selling to strangers, and whether it is.

Looked up each time, in one statement; only what cannot be looked up is confirmed by hand (`set_up`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import letters, proofs, supplier
from reseller.domain.calls import processes
from reseller.domain.desk import set_up
from reseller.domain.desk.set_up import AGREEMENT, BACKUP, Confirmed

LATELY = timedelta(hours=3)
"""Jobs of every hour have had two more chances by then."""

SECRET_CHARACTERS = 32
UPSTREAM = "openrouter"


class PointState(StrEnum):
    DONE = "done"
    OPEN = "open"  # must be done before selling
    ADVISED = "advised"  # works without, and better with


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the process that looks knows of its own environment. Never a secret, only facts about one."""

    is_production: bool
    secret_characters: int
    public_url: str
    has_stripe: bool
    takes_real_money: bool  # with Stripe's live keys
    has_mail: bool
    trusted_proxies: int
    watches_upstream: bool  # there is a key with which its bill and credit can be read


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the list: what is the case, why it matters, what to do while it is not done."""

    name: str
    title: str
    state: PointState
    found: str
    why: str
    to_do: str
    is_confirmable: bool = False
    confirmed: Confirmed | None = None


_FACTS = text(
    """SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS is_above_walls,
              (SELECT count(*) FROM pricing_rules WHERE is_active) AS rules,
              (SELECT count(*) FROM accounts WHERE halted_at IS NOT NULL) AS halted,
              (SELECT max(beat_at) FROM processes WHERE kind = 'worker') AS worker_beat_at,
              (SELECT succeeded_at FROM job_runs WHERE name = 'sync catalogue') AS synced_at,
              (SELECT succeeded_at FROM job_runs WHERE name = 'verify ledger') AS verified_at,
              (SELECT last_error FROM job_runs WHERE name = 'verify ledger') AS verify_error,
              (SELECT count(*) FROM supplier_items WHERE resolved_at IS NULL) AS differing,
              (SELECT array_agg(name ORDER BY name) FROM job_runs WHERE last_error IS NOT NULL) AS failing,
              (SELECT count(*) FROM users WHERE role IN ('finance', 'admin')) AS approvers,
              (SELECT count(*) FROM users WHERE role <> 'customer') AS staff,
              (SELECT array_agg(u.email ORDER BY u.email) FROM users u
                WHERE u.role <> 'customer' AND NOT EXISTS (SELECT 1 FROM second_factors s WHERE s.user_id = u.id)) AS unprotected"""
)


def points(deployment: Deployment) -> list[Point]:
    """The whole list, in the order in which an operator would go through it."""
    with transaction() as session:
        facts = dict(session.execute(_FACTS).mappings().one())
        confirmed = set_up.confirmations()
    return [
        *_environment(deployment, facts),
        *_shop(confirmed, facts),
        _supplier(deployment, facts),
        *_people(facts),
        *_clockwork(confirmed, facts),
    ]


def _state(is_done: bool, otherwise: PointState = PointState.OPEN) -> PointState:
    return PointState.DONE if is_done else otherwise


def _environment(deployment: Deployment, facts: dict[str, Any]) -> Iterator[Point]:
    is_https = deployment.public_url.startswith("https://")
    yield Point(
        "production",
        "Runs as production",
        _state(deployment.is_production and deployment.secret_characters >= SECRET_CHARACTERS and is_https),
        f"{'Production' if deployment.is_production else 'Not production'}, {deployment.public_url}, "
        f"a secret of {deployment.secret_characters} characters.",
        "Only production refuses weak secrets, plain http and a debugger at start.",
        "Set RESELLER_ENV=production, a random SECRET_KEY of 32 characters or more, and PUBLIC_URL with https.",
    )
    yield Point(
        "database_role",
        "Database role behind walls",
        _state(not facts["is_above_walls"]),
        "A superuser, or exempt from row-level security."
        if facts["is_above_walls"]
        else "Neither superuser nor exempt from row-level security.",
        "Row-level security is the second wall between customers; it does not hold a superuser.",
        "Connect as a role that owns the tables, made with NOSUPERUSER NOBYPASSRLS.",
    )
    yield Point(
        "trusted_proxies",
        "Customers' addresses known",
        _state(deployment.trusted_proxies > 0 or not deployment.is_production, PointState.ADVISED),
        f"{deployment.trusted_proxies} proxies in front are believed.",
        "Behind a router every visitor has the router's address: brakes on guessing would hit all of them at once.",
        "Set TRUSTED_PROXIES to the number of proxies in front, usually 1.",
    )
    yield _mail(deployment)
    yield _stripe(deployment)


def _stripe(deployment: Deployment) -> Point:
    if not deployment.has_stripe:
        found = "No keys are set: nothing can be bought."
    elif deployment.takes_real_money:
        found = "Its keys are set, and real money moves."
    else:
        found = "Its keys are those of test mode: credit is bought with test cards, and no money moves."
    needs_live = deployment.has_stripe and deployment.is_production
    return Point(
        "stripe",
        "Stripe on",
        _state(deployment.takes_real_money, PointState.OPEN if needs_live else PointState.ADVISED),
        found,
        "Customers buy credit by themselves; without it, credit comes from adjustments by staff alone.",
        "Set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET of live mode, and tell Stripe of the callback (README, Payments through Stripe).",
    )


def _mail(deployment: Deployment) -> Point:
    trouble = letters.trouble()
    if not deployment.has_mail:
        found = "No mail server is set; letters become files that nobody gets."
    elif trouble.is_grave or trouble.waiting:
        found = (
            f"{trouble.waiting} letters wait after a failure, {trouble.given_up} were given up in two days. The last error: {trouble.error}"
        )
    else:
        found = f"A mail server is set; it took {trouble.sent} letters in two days."
    return Point(
        "mail",
        "Mail leaves the house",
        _state(deployment.has_mail and not trouble.is_grave and not trouble.waiting),
        found,
        "Nobody can sign up, change their address or get a new password without a letter.",
        "Set MAIL_URL and MAIL_FROM, for web and worker. While letters fail: see the job “send letters”.",
    )


def _shop(confirmed: dict[str, Confirmed], facts: dict[str, Any]) -> Iterator[Point]:
    agreement = confirmed.get(AGREEMENT)
    yield Point(
        AGREEMENT,
        "Upstream agrees to resale",
        _state(agreement is not None),
        "Confirmed." if agreement else "Nobody has confirmed it.",
        "Most upstreams allow resale only by agreement, and close accounts that resell without.",
        "Get it in writing, then confirm it here with its date and where it is kept.",
        is_confirmable=True,
        confirmed=agreement,
    )
    yield Point(
        "pricing_rules",
        "Pricing rules",
        _state(facts["rules"] > 0),
        f"{facts['rules']} active.",
        "Without a rule no model is for sale.",
        "Load the price book (flask prices load) or add a rule.",
    )
    yield _recent(
        "catalogue",
        "Catalogue up to date",
        facts["synced_at"],
        why="Customers pay by these prices; old ones may be below what the upstream bills.",
        to_do="See why the job “sync catalogue” fails or does not run.",
    )


def _supplier(deployment: Deployment, facts: dict[str, Any]) -> Point:
    balance = supplier.balance_of(UPSTREAM)
    is_low = balance is not None and balance.is_low
    if not deployment.watches_upstream:
        found = "No management key is set."
    elif balance is None:
        found = "A management key is set; the account there was not asked yet."
    else:
        left = "low" if is_low else "enough"
        found = f"The credit there is {left}; {facts['differing']} days differ from our books."
    return Point(
        "supplier",
        "Upstream’s bill and credit watched",
        _state(deployment.watches_upstream and not is_low and not facts["differing"], PointState.OPEN if is_low else PointState.ADVISED),
        found,
        "Without credit there every call is refused, and what it bills beyond our books is our loss.",
        "Set OPENROUTER_MANAGEMENT_KEY, buy credit there before it is used up, and look at the days that differ.",
    )


def _people(facts: dict[str, Any]) -> Iterator[Point]:
    unprotected = facts["unprotected"] or []
    yield Point(
        "second_factors",
        "Second factor for all staff",
        _state(not unprotected),
        f"Missing: {', '.join(unprotected)}." if unprotected else f"All {facts['staff']} have one.",
        "Without it a person of staff cannot open the back office, and a password alone must never do.",
        "They sign in and set up an authenticator app. Or take their role away.",
    )
    yield Point(
        "approvers",
        "A second person to approve",
        _state(facts["approvers"] > 1),
        f"{facts['approvers']} with the role finance or admin.",
        "Large adjustments need a different person’s approval, and somebody must be able to help a locked-out admin.",
        "Give a second person the role finance or admin.",
    )


def _clockwork(confirmed: dict[str, Confirmed], facts: dict[str, Any]) -> Iterator[Point]:
    beat_at: datetime | None = facts["worker_beat_at"]
    is_alive = beat_at is not None and beat_at > now() - timedelta(seconds=processes.SILENT_SECONDS)
    yield Point(
        "worker",
        "Worker alive",
        _state(is_alive),
        "Its heart beats." if is_alive else "No heartbeat of a worker.",
        "It ends calls whose process died, asks for missing costs, posts usage and proves the books.",
        "Start the process “worker” (flask worker) and keep it running.",
    )
    failing = facts["failing"] or []
    yield Point(
        "jobs",
        "No job fails",
        _state(not failing),
        f"Failed at their last run: {', '.join(failing)}." if failing else "No last run failed.",
        "A job that fails goes on failing until somebody looks.",
        "Read its error in the list of jobs.",
    )
    yield _ledger(facts)
    yield _backup(confirmed.get(BACKUP))


def _backup(confirmed: Confirmed | None) -> Point:
    """Done by a proof of ours that is not old, or by somebody's word about backups that we know nothing of."""
    proof = proofs.last()
    found = "Confirmed." if confirmed else "None was proved here, and nobody has confirmed any."
    if proof is not None:
        found = f"The newest one that was restored and proved is of {proof.taken_at:%Y-%m-%d %H:%M} UTC."
    return Point(
        BACKUP,
        "Backups taken and tried",
        _state(confirmed is not None if proof is None else not proof.is_stale),
        found,
        "The ledger is other people’s money. A backup counts once a restore of it has been tried.",
        "Let flask backup FILE --prove run every day. Or let the platform back up PostgreSQL, try a restore, and confirm it here.",
        is_confirmable=proof is None,
        confirmed=confirmed if proof is None else None,
    )


def _ledger(facts: dict[str, Any]) -> Point:
    why = "A mismatch means that somebody is billed wrongly; the account is halted until staff have looked."
    to_do = "Look at the proof; a mismatch names account and row."
    if facts["verify_error"] or facts["halted"]:
        found = f"Accounts that stand still: {facts['halted']}." if facts["halted"] else "The last proof failed."
        return Point("ledger", "Books proved", PointState.OPEN, found, why, to_do)
    return _recent("ledger", "Books proved", facts["verified_at"], why=why, to_do=to_do)


def _recent(name: str, title: str, at: datetime | None, *, why: str, to_do: str) -> Point:
    if at is None:
        return Point(name, title, PointState.OPEN, "Never yet.", why, to_do)
    hours = (now() - at) // timedelta(hours=1)
    found = "Within the last hour." if hours < 1 else f"{hours} hours ago."
    return Point(name, title, _state(at > now() - LATELY), found, why, to_do)
