"""The clockwork on one screen: every job, how often, and what runs."""

from collections.abc import Callable
from dataclasses import dataclass

from reseller.silence import CLOCK_SECONDS
from reseller.worker import alarms, journal, letters, payments, prices, recovery, sums, supplier, telling, upkeep, webhooks
from reseller.worker.context import Context


@dataclass(frozen=True, slots=True)
class Job:
    """`run` returns one line for people, or raises; `every` is in seconds.

    `at_start`: a worker that starts runs it at once, due or not.
    `patience` is how long one answer of the database may take; None for statements that go through whole tables.
    """

    name: str
    every: float
    run: Callable[[Context], str]
    patience: float | None = CLOCK_SECONDS
    at_start: bool = False


JOBS = (
    Job("chase costs", 1, recovery.chase_costs),
    Job("recover holds", 5, recovery.recover_holds),
    Job("keep journal", 15, journal.keep_journal),
    Job("forget processes", 60, recovery.forget_processes),
    Job("send letters", 2, letters.send_letters),
    Job("watch for alarms", 60, alarms.watch),
    Job("tell of alarms", 5, alarms.tell),
    Job("tell of alerts", 10, telling.tell_of_alerts, patience=None),
    Job("tell of limits", 15, telling.tell_of_limits, patience=None),
    Job("tell of expiring keys", 60, telling.tell_of_expiring_keys),
    Job("watch letters", 300, letters.watch_letters),
    Job("revert limits", 15, upkeep.revert_limits),
    Job("post usage", 600, upkeep.post_usage, patience=None),
    Job("roll up usage", 60, sums.roll_up_usage, patience=None),
    Job("prove usage sums", 21_600, sums.prove_sums, patience=None),
    Job("make partitions", 3600, upkeep.make_partitions),
    Job("verify ledger", 3600, upkeep.verify_ledger, patience=None),
    Job("sync catalogue", 3600, prices.sync_catalogue),
    Job("expire quarantine", 600, prices.expire_quarantine),
    Job("tell of prices", 60, prices.tell_of_prices),
    Job("watch upstream credit", 3600, supplier.watch_credit),
    Job("reconcile upstream", 3600, supplier.reconcile, patience=None),
    Job("apply payment events", 60, payments.apply_events),
    Job(payments.RECONCILE, 3600, payments.reconcile_payments, at_start=True),
    Job("close days of credit", 600, payments.close_credit_days, patience=None),
    Job("sum up service", 60, upkeep.sum_up_service, patience=None),
    Job("send webhooks", 1, webhooks.send_webhooks),
    Job("close viewings", 300, upkeep.close_viewings),
    Job("forget deliveries", 3600, webhooks.forget_deliveries, patience=None),
    Job("forget old rows", 3600, upkeep.forget_rows, patience=None),
    Job("drop old months", 3600, upkeep.drop_months, patience=None),
)
