"""What was stopped after the backup is stopped again: by verbs of the modules that own the tables, each with an audit row of its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts, keys, pricing, webhooks
from reseller.domain.accounts import Account, AccountStatus, Role, User
from reseller.domain.identity import distrust, recovery_codes
from reseller.domain.journal.kinds import REPLAYED, is_among
from reseller.domain.journal.lines import Line
from reseller.domain.keys import ApiKey, KeyTerms, SpendLimit, SpendPeriod
from reseller.domain.keys.reading import key_terms
from reseller.domain.webhooks import EndpointTerms, OffBecause, WebhookEndpoint
from reseller.errors import Conflict, Refusal

ACTOR = "system:restore"
POWER = (Role.CUSTOMER, Role.SUPPORT, Role.FINANCE, Role.ADMIN)

NOT_AS_WE_WRITE = (LookupError, TypeError, ValueError, ArithmeticError, DataError, IntegrityError)
"""What a line from elsewhere may cause. It keeps no other from being done: whoever restores has no time to mend a journal."""

Again = Callable[[Line], str]
"""Does it again and says what was done; "" if nothing was to do. Raises Refusal."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Lines that the database did not know, with what came of them."""

    done: tuple[tuple[Line, str], ...]
    listed: tuple[tuple[Line, str], ...]  # for people: cannot be done by a program


def replay(lines: Iterable[Line]) -> Replay:
    """Everything stopped in these lines, and unknown to this database, is stopped. Again is fine."""
    done, listed = [], []
    for line in _unknown(sorted(lines, key=lambda line: line.id)):
        if not is_among(line.action, REPLAYED):
            listed.append((line, _facts(line)))
            continue
        try:
            words = AGAIN[line.action](line)
        except (Refusal, *NOT_AS_WE_WRITE) as error:
            words = error.message if isinstance(error, Refusal) else f"its row is not one of ours ({type(error).__name__})"
            listed.append((line, f"could not be done again: {words}"))
            continue
        if words:
            done.append((line, words))
    return Replay(tuple(done), tuple(listed))


def revoke_all_keys(reason: str) -> int:
    """No key works any more, of anybody; how many did. For when nobody can tell which were revoked meanwhile."""
    with transaction() as session:
        working = list(session.scalars(select(ApiKey.id).where(keys.usable_at(now()))))
        for key_id in working:
            keys.revoke(str(key_id), actor=ACTOR, reason=reason)
        return len(working)


def _unknown(lines: list[Line]) -> list[Line]:
    """Those that the database has no audit row of: each once."""
    given = {line.id: line for line in lines}
    with transaction() as session:
        known = set(session.scalars(text("SELECT id FROM staff_actions WHERE id = ANY(:ids)"), {"ids": list(given)}))
    return [line for line in given.values() if line.id not in known]


def _why(line: Line) -> str:
    return f"again after a restore; {line.actor} on {line.at:%Y-%m-%d %H:%M} UTC: {line.reason or line.action}"


def _facts(line: Line) -> str:
    """What the row says came to be."""
    return ", ".join(f"{field} {value[1]}" for field, value in line.changes.items() if isinstance(value, list) and len(value) == 2)


def _revoke(line: Line) -> str:
    with transaction() as session:
        key = session.get(ApiKey, UUID(line.subject_id))
        if key is None or key.revoked_at is not None:
            return ""
        keys.revoke(line.subject_id, actor=ACTOR, reason=_why(line))
        return f"{keys.shown_prefix(key.key_prefix)} revoked"


def _end_rotated(line: Line) -> str:
    """The successor is not here; the old key ends when it was to end, all the same."""
    ends_at = datetime.fromisoformat(line.after("old_key_expires_at"))
    return _tightened(line, ends_at=ends_at)


def _tighten(line: Line) -> str:
    """Limits of a key that were set or narrowed hold again; those that were lifted do not."""
    ends_at = line.after("expires_at")
    return _tightened(line, ends_at=None if ends_at is None else datetime.fromisoformat(ends_at))


def _tightened(line: Line, *, ends_at: datetime | None) -> str:
    with transaction() as session:
        key = session.get(ApiKey, UUID(line.subject_id), populate_existing=True)
        if key is None or key.revoked_at is not None:
            return ""
        if ends_at is not None and ends_at <= now():
            return _revoke(line)
        before = key_terms(key)
        wanted = KeyTerms(before.name, _earlier(before.expires_at, ends_at), _spend(before.spend, line), _models(before, line))
        if wanted == before:
            return ""
        keys.change(key.id, wanted, actor=ACTOR, account_id=key.account_id)
        return f"{keys.shown_prefix(key.key_prefix)} narrowed"


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _spend(before: SpendLimit | None, line: Line) -> SpendLimit | None:
    usd, period = line.after("spend_limit_usd"), line.after("spend_period")
    if usd is None and period is None:
        return before
    if usd is None and before is None:
        return None
    kept = SpendPeriod(period) if period else before.period if before else SpendPeriod.LIFETIME
    return SpendLimit(Decimal(usd) if usd is not None else before.usd if before else Decimal(0), kept)


def _models(before: KeyTerms, line: Line) -> tuple[str, ...] | None:
    models = line.after("models")
    return tuple(models.split(", ")) if models else before.model_patterns


def _suspend(line: Line) -> str:
    with transaction() as session:
        account = session.get(Account, UUID(line.subject_id), populate_existing=True)
        if account is None or account.status == AccountStatus.SUSPENDED:
            return ""
        accounts.suspend(account.id, reason=_why(line), actor=ACTOR)
        return f"{account.name} suspended"


def _halt(line: Line) -> str:
    with transaction() as session:
        account = session.get(Account, UUID(line.subject_id), populate_existing=True)
        if account is None or account.halted_at is not None:
            return ""
        accounts.halt(account.id, reason=_why(line))
        return f"{account.name} halted"


def _distrust(line: Line) -> str:
    """Whatever they signed in with at the time of the backup may be in other hands by now."""
    email = distrust.forget_ways_in(UUID(line.subject_id), actor=ACTOR, reason=_why(line))
    return f"{email}: old password and authenticator forgotten; a new password by letter or `flask users password`" if email else ""


def _spend_codes(line: Line) -> str:
    if line.action == "user.show_second_factor" and line.after("by") != "recovery code":
        return ""
    with transaction() as session:
        user = session.get(User, UUID(line.subject_id))
        if user is None:
            return ""
        recovery_codes.discard(user.id)
        accounts.record(ACTOR, "user.discard_recovery_codes", user.id, reason=_why(line))
        return f"{user.email}: old recovery codes forgotten"


def _unlink(line: Line) -> str:
    identity = (line.changes.get("identity") or [""])[0] or ""
    email = distrust.unlink_issuer(UUID(line.subject_id), str(identity).partition(" ")[0], actor=ACTOR, reason=_why(line))
    return f"{email}: unlinked from {identity}" if email else ""


def _demote(line: Line) -> str:
    wanted = Role(str(line.after("role")))
    with transaction() as session:
        user = session.get(User, UUID(line.subject_id), populate_existing=True)
        if user is None or user.role == wanted:
            return ""
        if POWER.index(Role(user.role)) < POWER.index(wanted):
            raise Conflict(f"{user.email} had become {wanted}, which nobody becomes by a restore")
        before = user.role
        user.role = wanted
        user.claim(None)
        accounts.record(ACTOR, "user.change_role", user.id, reason=_why(line), changes={"role": [before, str(wanted)]})
        return f"{user.email}: {before} no more, {wanted}"


def _readdress(line: Line) -> str:
    email = distrust.readdress(UUID(line.subject_id), str(line.after("email")), actor=ACTOR, reason=_why(line))
    return f"signs in as {email}, as before" if email else ""


def _switch_off(line: Line) -> str:
    if line.after("is_active") is not False:
        return ""
    pricing.set_upstream_active(line.subject_id, False, actor=ACTOR, reason=_why(line))
    return f"upstream {line.subject_id} switched off"


def _withdraw(line: Line) -> str:
    pricing.withdraw(line.subject_id, ACTOR, reason=_why(line))
    return f"{line.subject_id} withdrawn"


def _endpoint(session: Session, line: Line) -> WebhookEndpoint | None:
    """None if there is none any more."""
    row = session.get(WebhookEndpoint, UUID(line.subject_id), populate_existing=True)
    return None if row is None or row.off_because == OffBecause.REMOVED else row


def _off_because(line: Line) -> OffBecause:
    """As the line says. One that does not say it leaves the endpoint to staff: an owner might undo what staff had decided."""
    if line.action == "webhook.remove":
        return OffBecause.REMOVED
    said = line.after("off")
    return OffBecause(said) if said in set(OffBecause) else OffBecause.BY_STAFF


def _unhook(line: Line) -> str:
    with transaction() as session:
        row, because = _endpoint(session, line), _off_because(line)
        if row is None or (row.off_at is not None and because != OffBecause.REMOVED):
            return ""
        webhooks.switch_off(row.id, account_id=None, because=because, actor=ACTOR, reason=_why(line))
        return f"nothing is sent to {webhooks.shown_url(row.url)} any more"


def _rehook(line: Line) -> str:
    """Where else it leads is in no audit row, since an address may hold a token: nothing is sent to the one that was left."""
    with transaction() as session:
        row, events = _endpoint(session, line), line.after("events")
        if row is None or row.off_at is not None or (line.after("host") is None and events is None):
            return ""
        if line.after("host") is not None:
            webhooks.switch_off(row.id, account_id=None, because=OffBecause.BY_OWNER, actor=ACTOR, reason=_why(line))
            return f"nothing is sent to {webhooks.shown_url(row.url)} any more; its owner gives the newer address again"
        wanted = None if events == "every event" else tuple(str(events).split(", "))
        terms = EndpointTerms(row.url, row.description, wanted)
        webhooks.change(row.id, terms, account_id=None, seen_version=None, allows_loopback=True, actor=ACTOR)
        return f"{webhooks.shown_url(row.url)} hears of {events}"


def _forget_hook_secrets(line: Line) -> str:
    """The newer secret is not here, and the older one may be known to others."""
    with transaction() as session:
        row = _endpoint(session, line)
        if row is None or not row.sealed_secret:
            return ""
        webhooks.forget_secrets(row.id, actor=ACTOR, reason=_why(line))
        return f"nothing is sent to {webhooks.shown_url(row.url)} before its owner rotates the secret"


AGAIN: dict[str, Again] = {
    "key.revoke": _revoke,
    "key.rotate": _end_rotated,
    "key.change": _tighten,
    "account.suspend": _suspend,
    "account.halt": _halt,
    "user.set_password": _distrust,
    "user.enrol_second_factor": _distrust,
    "user.replace_second_factor": _distrust,
    "user.reset_second_factor": _distrust,
    "user.register_anew": _distrust,
    "user.forget_ways_in": _distrust,
    "user.discard_recovery_codes": _spend_codes,
    "user.issue_recovery_codes": _spend_codes,
    "user.show_second_factor": _spend_codes,
    "user.unlink_identity": _unlink,
    "user.change_role": _demote,
    "user.change_address": _readdress,
    "upstream.switch": _switch_off,
    "model.withdraw": _withdraw,
    "webhook.switch_off": _unhook,
    "webhook.remove": _unhook,
    "webhook.change": _rehook,
    "webhook.rotate": _forget_hook_secrets,
    "webhook.forget_secrets": _forget_hook_secrets,
}
