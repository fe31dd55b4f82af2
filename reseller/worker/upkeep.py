"""Jobs that keep house: books are posted and proved, months have their room, what was for a while is over, what is old is gone."""

import structlog
from sqlalchemy import text

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import alarms, books, ledger, limits, retention, uptime
from reseller.domain.identity import viewings
from reseller.domain.usage import partitions
from reseller.worker.context import Context

log = structlog.get_logger()


def post_usage(context: Context) -> str:  # noqa: ARG001 - every job has the same face
    """Charges of days that are over are ledger entries, for accounts that went quiet too."""
    with transaction() as session:
        today = session.execute(text("SELECT (now() AT TIME ZONE 'UTC')::date")).scalar_one()
        query = text("SELECT account_id FROM balances WHERE unposted_nano > 0 AND usage_day < :today")
        quiet = list(session.scalars(query, {"today": today}))
    posted = sum(ledger.post_usage_day(account_id, today) for account_id in quiet)
    return f"{posted} days posted"


def revert_limits(context: Context) -> str:  # noqa: ARG001
    """Limits that were changed for a while are what they were before, once that time is over."""
    return f"{limits.revert_due()} accounts put back"


def make_partitions(context: Context) -> str:  # noqa: ARG001
    """Usage has room for the months to come; a missing one is an alarm."""
    made = partitions.make_ahead()
    missing = partitions.missing_ahead(now().date())
    alarms.hold("partition_missing", dict.fromkeys(missing, "no room for calls of that month"))
    if missing:
        raise RuntimeError(f"no partition for {', '.join(missing)}")
    return f"made {', '.join(made)}" if made else "all there"


def verify_ledger(context: Context) -> str:  # noqa: ARG001
    """The books are proved; an account whose books do not add up is halted and staff are alarmed (R1)."""
    report = books.verify()
    for mismatch in report.mismatches:
        log.critical("ledger_mismatch", account_id=str(mismatch.account_id), row=mismatch.row, problem=mismatch.problem)
    books.halt_mismatched(report)
    alarms.hold("ledger_mismatch", {str(each.account_id): f"{each.row}: {each.problem}" for each in report.mismatches})
    if report.mismatches:
        raise RuntimeError(f"{len(report.mismatches)} mismatches, first: {report.mismatches[0].row}: {report.mismatches[0].problem}")
    return f"{report.accounts} accounts, {report.entries} entries: all agree"


def sum_up_service(context: Context) -> str:  # noqa: ARG001
    """The status page tells of this minute; slots that it shows no more are gone."""
    return f"{uptime.make_snapshot()} parts, {uptime.forget_old()} old slots"


def close_viewings(context: Context) -> str:  # noqa: ARG001
    """The audit log has the end of every viewing as a customer, also of those that nobody ended."""
    return f"{viewings.close_over()} viewings closed"


def forget_rows(context: Context) -> str:  # noqa: ARG001
    """What is kept for a while only is gone after that: the one list is `retention.POLICY`."""
    gone = [f"{count} of {table}" for table, count in retention.forget() if count]
    return f"gone: {', '.join(gone)}" if gone else "none"


def drop_months(context: Context) -> str:
    """Details of calls are gone once they are older than they are kept, month by month (R36). A month that cannot go fails the job."""
    keep = context.wiring.settings.call_details_months
    if not keep:
        return "details are kept for ever"
    done = retention.drop_due(keep)
    gone = f"dropped {', '.join(f'{month:%Y-%m}' for month in done.gone)}" if done.gone else "no month is due"
    if done.waits is not None:
        raise RuntimeError(f"{gone}; {done.waits:%Y-%m} has to wait: {'; '.join(done.reasons)}")
    return gone
