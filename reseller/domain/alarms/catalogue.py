"""Every alarm: what it means, what to do, where in the back office, and how it ends. `alarms.sound` names one of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Meaning:
    """`quiet_after`: not seen for so long, it is over; None for a condition that a job of the worker looks at."""

    title: str
    means: str
    to_do: str
    where: str = ""  # path of the page where it is mended; "" where that is outside this shop
    quiet_after: timedelta | None = None
    is_urgent: bool = False  # customers or money are hurt while it lasts


_SUSPENSE = "Look at it in Stripe's pages, put it right there or by an adjustment, and resolve it in suspense."
_PATIENCE = "Nothing was charged. If it lasts, look at the upstream's status page."


def _upstream(title: str, means: str, to_do: str, *, is_urgent: bool = False) -> Meaning:
    return Meaning(title, means, to_do, "/admin/upstreams/", HOUR, is_urgent)


def _suspense(what: str) -> Meaning:
    return Meaning(f"Money in suspense: {what}", "It was not booked as it came.", _SUSPENSE, "/admin/suspense/?state=open")


ALARMS: Mapping[str, Meaning] = {
    "upstream_key_refused": _upstream(
        "Upstream refuses our key",
        "It answers 401: customers of its models get 503.",
        "Put a valid key into the environment and restart.",
        is_urgent=True,
    ),
    "upstream_out_of_credit": _upstream(
        "Upstream wants money", "It answers 402: customers of its models get 503.", "Buy credit there.", is_urgent=True
    ),
    "upstream_forbade": _upstream(
        "Upstream forbids us",
        "It answers 403, and not about the content: customers get 503.",
        "Look at the account's standing and the key's permissions there.",
        is_urgent=True,
    ),
    "upstream_rate_limited": _upstream(
        "Upstream limits our rate", "Customers get 503 with a time to come back.", "Ask for a higher limit there, or sell less at once."
    ),
    "upstream_redirected": _upstream("Upstream redirects", "Its address has moved.", "Correct the base URL."),
    "upstream_unexpected_status": _upstream("Upstream answers oddly", "Its status is none of the API's.", _PATIENCE),
    "upstream_path_missing": _upstream("Upstream lacks the path", "It answers 404 to the endpoint itself.", "Correct the base URL."),
    "upstream_certificate_refused": _upstream(
        "Upstream's certificate is not trusted",
        "No call is sent there: it may be somebody else who answers.",
        "Look at the certificate and at the base URL.",
        is_urgent=True,
    ),
    "upstream_balance_low": Meaning(
        "Credit at the upstream runs low",
        "When it is used up, customers get 503.",
        "Buy credit there.",
        "/admin/supplier/",
        is_urgent=True,
    ),
    "supplier_drift": Meaning(
        "The upstream bills something else than we booked",
        "Its figures of a day and our costs differ by more than 0.5 %.",
        "Compare the day by model; margins are wrong until it is explained.",
        "/admin/supplier/",
    ),
    "margin_negative": Meaning(
        "A model sells below its cost",
        "What calls of the day cost at the upstream is more than what they were charged.",
        "Look at the model's rule and price, and at its calls that cost more than they were held for.",
        "/admin/prices/test/",
        is_urgent=True,
    ),
    "price_quarantined": Meaning(
        "A price waits in quarantine",
        "A listed price moved more than threefold or makes no sense; the old one holds for 24 h, then the model is withdrawn.",
        "Accept or reject it.",
        "/admin/catalogue/",
    ),
    "backup_stale": Meaning(
        "No backup was proved lately",
        "The newest one that was restored elsewhere and proved is older than eight days.",
        "See what became of the scheduled `flask backup FILE --prove`, and run it.",
        "/admin/set-up/",
    ),
    "ledger_mismatch": Meaning(
        "Books do not add up",
        "The account named is halted: it is not let in until somebody explains its books.",
        "Run `flask ledger verify`, which names the row; then end the halt on the customer's page.",
        "/admin/proof/",
        is_urgent=True,
    ),
    "usage_sums_mended": Meaning(
        "Sums of usage were wrong and are mended",
        "Charts showed something else than the calls.",
        "Look at the job's result.",
        "/admin/jobs/",
        DAY,
    ),
    "settlement_stripped": Meaning(
        "Details of a call could not be stored", "It is charged; its details are lost.", "Find the call's id in the log.", "", DAY
    ),
    "settlements_lost": Meaning(
        "A web process ended before all was settled", "Recovery ends its calls within a minute.", "Look at the holds.", "/admin/holds/", DAY
    ),
    "settlement_failed": Meaning(
        "A stream could not be settled",
        "Recovery ends the call within a minute.",
        "Look at the log and at the holds.",
        "/admin/holds/",
        DAY,
    ),
    "voided_while_alive": Meaning(
        "A running call was taken for dead",
        "It cost the customer nothing, and us what the upstream bills.",
        "Look why its process was silent.",
        "",
        DAY,
    ),
    "request_failed": Meaning("Requests fail on an error of ours", "Customers got 500.", "Find the traceback in the log.", "", HOUR),
    "errand_failed": Meaning(
        "Webhooks fail on an error of ours",
        "The delivery is tried again, with growing gaps, for three days.",
        "Find the traceback in the log.",
        "",
        HOUR,
    ),
    "process_stood_still": Meaning(
        "A process stood still",
        "It did nothing for more than 30 s, and its calls were ended.",
        "Look at the machine: memory, disk, CPU.",
        "",
        HOUR,
    ),
    "payment_event_forged": Meaning(
        "Somebody posts events that Stripe has not signed",
        "Nothing was credited. Or STRIPE_WEBHOOK_SECRET is another endpoint's.",
        "Look who it is, and compare the secret with Stripe's page of the endpoint.",
        "/admin/stripe-events/",
        HOUR,
    ),
    "payment_event_lost": Meaning(
        "A payment was found that no event had told",
        "It is credited now.",
        "Look at the endpoint's deliveries at Stripe.",
        "/admin/payments/",
        DAY,
    ),
    "payment_foreign": _suspense("no order of ours"),
    "payment_wrong_amount": _suspense("another amount"),
    "payment_wrong_currency": _suspense("another currency"),
    "payment_wrong_mode": _suspense("test and live mixed"),
    "payment_wrong_session": _suspense("another session"),
    "payment_unknown_money": _suspense("went back in another currency"),
    "payment_not_paid": _suspense("credited, and not paid at Stripe"),
    "payment_unreadable": _suspense("what Stripe says cannot be used"),
    "suspense_stale": Meaning(
        "Money waits for too long",
        "Suspense, an event or a refund waits for more than a day, or a bank debit for two weeks.",
        "Resolve, try again, or look at Stripe.",
        "/admin/suspense/?state=open",
    ),
    "reader_unusable": Meaning(
        "Reports do without their replica",
        "DATABASE_READ_URL is away, more than a minute behind, or its role is above row-level security. The first database does its work.",
        "Look at the replica and at its role.",
        "",
        HOUR,
    ),
    "partition_missing": Meaning(
        "Next month has no room for usage",
        "Calls of that month would be refused.",
        "The job “make partitions” says why.",
        "/admin/jobs/",
        is_urgent=True,
    ),
    "job_failing": Meaning(
        "A job of the worker fails",
        "What it does is not done.",
        "Its error stands on the page of jobs; mend it and press “Run now”.",
        "/admin/jobs/",
    ),
    "job_stuck": Meaning(
        "A job of the worker is overdue",
        "It is due and nobody runs it, or a run does not end.",
        "Look whether a worker runs and what it waits for.",
        "/admin/jobs/",
        is_urgent=True,
    ),
    "letters_given_up": Meaning(
        "Letters do not get through",
        "The mail server took none for too long, or refuses most.",
        "Look at MAIL_URL, MAIL_FROM and the server's log.",
        "/admin/set-up/",
        is_urgent=True,
    ),
    "letter_text_unusable": Meaning(
        "A text of BRAND_LETTERS_DIR cannot be filled in", "Ours went out in its place.", "Correct the file.", "/admin/set-up/", DAY
    ),
    "alarm_webhook_failing": Meaning(
        "OPERATOR_ALERT_WEBHOOK does not answer", "Alarms wait for it for a day.", "Look at the address and at who listens there.", "", HOUR
    ),
}


UNKNOWN = Meaning("An alarm without a description", "", "Find its name in the code.", "", DAY)


def meaning_of(alarm: str) -> Meaning:
    """What is known of it; a newer process may have sounded one that this one does not know."""
    return ALARMS.get(alarm, UNKNOWN)
