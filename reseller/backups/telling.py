"""What a backup and a restore say: for programs, and for the person who has to open the shop again."""

from collections.abc import Iterator
from typing import Any

from reseller.backups.finishing import CaughtUp
from reseller.backups.manifest import Manifest
from reseller.domain.journal import Line
from reseller.domain.ledger import AuditReport
from reseller.money import format_nano

AT_MOST = 50


def backup_told(taken: Manifest) -> dict[str, Any]:
    return {
        "taken_at": taken.taken_at.isoformat(),
        "revision": taken.revision,
        "accounts": taken.accounts,
        "rows": sum(taken.rows.values()),
        "calls": taken.calls,
        "charged_usd": format_nano(taken.charged_nano),
        "bytes": taken.bytes_,
        "sha256": taken.sha256,
    }


def words_of(taken: Manifest) -> str:
    """One line for people."""
    return (
        f"{taken.accounts} accounts, {sum(taken.rows.values())} rows, {taken.calls} calls charged {format_nano(taken.charged_nano)} USD,"
        f" as of {taken.taken_at:%Y-%m-%d %H:%M:%S} UTC, schema {taken.revision}"
    )


def restore_told(told: Manifest, after: CaughtUp, report: AuditReport) -> dict[str, Any]:
    return {
        **backup_told(told),
        "ended": {"sessions": after.ended.sessions, "links": after.ended.links, "letters": after.ended.letters},
        "replayed_until": after.remembered_until.isoformat() if after.remembered_until else None,
        "replayed": [_line_told(line, words) for line, words in after.replay.done],
        "listed": [_line_told(line, words) for line, words in after.replay.listed],
        "revoked_keys": after.revoked_keys,
        "lost": {"calls": after.lost_calls, "charged_usd": format_nano(after.lost_nano)},
        "ledger": {"accounts": report.accounts, "entries": report.entries, "mismatches": _mismatches(report)},
    }


def restore_lines(told: Manifest, after: CaughtUp, report: AuditReport) -> Iterator[str]:
    yield f"restored: {words_of(told)}"
    yield f"ended: {after.ended.sessions} sessions, {after.ended.links} links in letters, {after.ended.letters} letters that waited"
    yield from _section("stopped again", after.replay.done)
    yield from _section("for people to look at, since it cannot be made again", after.replay.listed)
    if after.revoked_keys:
        yield f"revoked: every key that worked, {after.revoked_keys} of them"
    if after.remembered_until:
        lost, until = f"{after.lost_calls} calls charged {format_nano(after.lost_nano)} USD", after.remembered_until
        yield f"lost: {lost}, made between the backup and {until:%Y-%m-%d %H:%M:%S} UTC; the upstream bills them all the same"
    mismatches = _mismatches(report)
    yield "books: all agree" if not mismatches else "books: " + "; ".join(mismatches)
    yield "next:"
    yield from (f"  {words}" for words in _next(told, after))


def _next(told: Manifest, after: CaughtUp) -> Iterator[str]:
    since = f"{told.taken_at:%Y-%m-%d %H:%M} UTC"
    if after.remembered_until is None and not after.revoked_keys:
        yield f"nobody could tell what was stopped since {since}: keys, accounts and passwords are as they were then."
        yield "  Look through letters and the log of that time, revoke and suspend again, or restore anew with --revoke-all-keys."
    yield "flask payments reconcile --days 30   (credits and reverses what Stripe knows since; a worker does it at its start)"
    yield "flask worker --once                  (ends the calls that were open at the instant of the backup)"
    yield f"Staff tell whoever made a key or signed up since {since} that it is gone, and look at each line above that is for people."


def _section(title: str, lines: tuple[tuple[Line, str], ...]) -> Iterator[str]:
    if lines:
        yield f"{title}: {len(lines)}"
    for line, words in lines[:AT_MOST]:
        whose = f" (account {line.account_id})" if line.account_id else ""
        yield f"  {line.at:%Y-%m-%d %H:%M:%S} {line.action} by {line.actor}: {words or line.subject_id}{whose}"
    if len(lines) > AT_MOST:
        yield f"  and {len(lines) - AT_MOST} more: --json has all"


def _line_told(line: Line, words: str) -> dict[str, Any]:
    return {
        "at": line.at.isoformat(),
        "actor": line.actor,
        "action": line.action,
        "subject": f"{line.subject_kind} {line.subject_id}",
        "account_id": str(line.account_id) if line.account_id else None,
        "words": words,
    }


def _mismatches(report: AuditReport) -> list[str]:
    return [f"account {each.account_id}: {each.row}: {each.problem}" for each in report.mismatches]
