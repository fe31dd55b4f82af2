"""EVENTS: every kind of event by its name, with what it tells and a sample. The page for API users is made of this table.

Where to add: an entry here, and `announce` in the transaction of the verb that causes it; a test fails for one without the other.
"""

from reseller.domain.outbox.kinds import Audience, EventKind

KEY = {
    "key_id": "Our id of the key",
    "prefix": "How the key begins: all that is ever shown of it again",
    "name": "What its owner calls it",
    "is_test": "Whether it is a test key",
}
_KEY_SAMPLE = {"key_id": "0199f3a2-7c11-7d3e-9a51-5a2f6f0b3c10", "prefix": "sk_live_abc1…", "name": "production", "is_test": False}

PAYMENT = {
    "payment_id": "Our id of the payment",
    "amount_usd": "The credit that was ordered",
}
_PAYMENT_SAMPLE = {"payment_id": "0199f3a2-7c11-7d3e-9a51-5a2f6f0b3d20", "amount_usd": "20"}

REFUND = {
    "payment_id": "Our id of the payment",
    "refund_id": "Our id of the refund: a payment may have several",
    "refunded_usd": "The money, with its share of tax",
}
_REFUND_SAMPLE = {
    "payment_id": "0199f3a2-7c11-7d3e-9a51-5a2f6f0b3d20",
    "refund_id": "0199f9b0-2b40-7e10-8c1d-3f5a7d9e1b02",
    "refunded_usd": "5",
}

DISPUTE = {
    "payment_id": "Our id of the payment",
    "dispute_id": "Our id of the dispute",
    "disputed_usd": "The money that is questioned",
    "withdrawn_usd": "How much of it the bank holds back; that much less is credited",
}
_DISPUTE_SAMPLE = {
    "payment_id": "0199f3a2-7c11-7d3e-9a51-5a2f6f0b3d20",
    "dispute_id": "0199fa41-90c2-7b6d-9d3e-6c8e0f2a4b13",
    "disputed_usd": "20",
    "withdrawn_usd": "20",
}

_MODEL_SAMPLE = {"id": "openai/gpt-4o-mini", "pricing_before": {"prompt": "0.0000002"}, "pricing": {"prompt": "0.00000018"}}

ALERT = {"alert_rule_id": "Our id of the alert", "kind": "What it watches", "line": "The threshold, in words"}

EVENTS: dict[str, EventKind] = {
    "key.created": EventKind(
        "A key was made.",
        {**KEY, "expires_at": "When it stops working; null: never"},
        {**_KEY_SAMPLE, "expires_at": None},
    ),
    "key.rotated": EventKind(
        "A key was replaced by a new one with the same terms; for a while both work.",
        {
            **KEY,
            "replaced_key_id": "Our id of the key that was replaced",
            "replaced_prefix": "How the key that was replaced begins",
            "replaced_works_until": "When the key that was replaced stops working",
        },
        {
            **_KEY_SAMPLE,
            "replaced_key_id": "0198c0de-1f2a-7b60-8a3d-2e9c4b7d5e01",
            "replaced_prefix": "sk_live_x9Yz…",
            "replaced_works_until": "2026-11-28T09:30:00+00:00",
        },
    ),
    "key.revoked": EventKind(
        "A key was revoked: it is refused from the next request on.",
        {**KEY, "revoked_at": "When"},
        {**_KEY_SAMPLE, "revoked_at": "2026-11-27T09:30:00+00:00"},
    ),
    "key.expiring": EventKind(
        "A key stops working within a week. Sent once per expiry date; not for keys made to last a week or less.",
        {**KEY, "expires_at": "When it stops working"},
        {**_KEY_SAMPLE, "expires_at": "2026-12-04T09:30:00+00:00"},
    ),
    "balance.low": EventKind(
        "The balance has fallen below the line of an alert; told again after it was clearly above.",
        {
            **ALERT,
            "line_usd": "The line in dollars, now",
            "balance_usd": "The balance when it was seen",
        },
        {
            "alert_rule_id": "0199f3a2-7c11-7d3e-9a51-5a2f6f0b3c77",
            "kind": "balance_amount",
            "line": "$5.00",
            "line_usd": "5",
            "balance_usd": "4.98231",
        },
    ),
    "balance.zero": EventKind(
        "The credit is used up: less than a cent is left; calls that could cost more than is left are refused with 402. Sent again only "
        "after credit was added and used up again.",
        {"balance_usd": "The balance when it was seen"},
        {"balance_usd": "0.00214"},
    ),
    "balance.topped_up": EventKind(
        "Credit was added to the balance: a line of the statement that is not usage.",
        {
            "kind": "`top_up`, `bonus`, `adjustment` (given by our staff, or to try us), or `refund` or `dispute` (money that came back)",
            "entry_id": "Our id of the line",
            "added_usd": "How much was added",
            "balance_usd": "The balance afterwards",
            "reason": "The line in words",
        },
        {
            "kind": "top_up",
            "entry_id": "0199f3a2-8f02-7a4b-b1c3-0d2e4f6a8b11",
            "added_usd": "20",
            "balance_usd": "24.98231",
            "reason": "Top-up",
        },
    ),
    "budget.crossed": EventKind(
        "Calls of a day or month were charged more than the budget of an alert; told once for each. Nothing is stopped.",
        {
            **ALERT,
            "budget_usd": "The budget",
            "spent_usd": "What was charged when it was seen",
            "starts_on": "The first day, in UTC",
            "key_id": "The key whose budget it is, with those it replaced; null: not of one key",
            "member_id": "The member of whose keys it is; null: not of one member",
        },
        {
            "alert_rule_id": "0199f3a2-7c11-7d3e-9a51-5a2f6f0b3c78",
            "kind": "budget_day",
            "line": "$20.00",
            "budget_usd": "20",
            "spent_usd": "20.41",
            "starts_on": "2026-11-27",
            "key_id": None,
            "member_id": None,
        },
    ),
    "member.changed": EventKind(
        "A member's way of signing in has changed. They have a letter about it.",
        {
            "member_id": "Our id of the person",
            "email": "Their address, now",
            "role": "What they are in the account: `owner` or `member`",
            "change": "`password`, `second_factor` (added, replaced or taken away), `provider` (linked or unlinked), or `address`",
        },
        {
            "member_id": "0199f3a2-6b02-7c2e-8d41-4a1f5e0b2c09",
            "email": "ann@example.com",
            "role": "owner",
            "change": "second_factor",
        },
    ),
    "limit.hit": EventKind(
        "A call was refused by a limit of the account or of a key. Told at most once an hour for each limit.",
        {
            "limit": "`requests_per_minute`, `requests_per_hour`, `requests_per_day`, `concurrent_requests`, `concurrent_large_requests`, "
            "or `key_spend_` with `day`, `week`, `month` or `lifetime`",
            "allowed": "How much it allows: calls, or US dollars of a key; null: not known",
            "error_code": "The code of the error that the call got",
            "key_id": "The key whose spend limit it is; null: a limit of the account",
            "refused_at": "When the call was refused",
        },
        {
            "limit": "requests_per_minute",
            "allowed": "60",
            "error_code": "rate_limit_exceeded",
            "key_id": None,
            "refused_at": "2026-11-27T09:30:00+00:00",
        },
    ),
    "model.price_changed": EventKind(
        "List prices of models have changed. Prices that were agreed with you are in `/v1/models`.",
        {"models": "At most 50: `id`, `pricing_before` and `pricing`, in US dollars by unit as `/v1/models` has them"},
        {"models": [_MODEL_SAMPLE]},
        Audience.EVERY_ACCOUNT,
    ),
    "model.withdrawn": EventKind(
        "Models are not on the general price list any more: calls to them are refused with 404. Models that you have prices of your "
        "own for are those in `/v1/models`, as before.",
        {"models": "The ids of the models, at most 50"},
        {"models": ["openai/gpt-4o-mini"]},
        Audience.EVERY_ACCOUNT,
    ),
    "model.restored": EventKind(
        "Models that were withdrawn are on the general price list again.",
        {"models": "The ids of the models, at most 50"},
        {"models": ["openai/gpt-4o-mini"]},
        Audience.EVERY_ACCOUNT,
    ),
    "payment.paid": EventKind(
        "A payment has arrived; its credit is in the balance. Once for each payment.",
        {
            **PAYMENT,
            "bonus_usd": "Credit on top",
            "total_usd": "The money that was taken, with tax",
            "paid_at": "When we learned of it",
        },
        {**_PAYMENT_SAMPLE, "bonus_usd": "1", "total_usd": "23.8", "paid_at": "2026-11-27T09:30:00+00:00"},
    ),
    "payment.failed": EventKind(
        "A payment did not come: the bank said no, or the page to pay at could not be opened. Nothing was credited. Should the money "
        "come after all, payment.paid follows.",
        PAYMENT,
        _PAYMENT_SAMPLE,
    ),
    "payment.expired": EventKind(
        "Nobody paid an order in time. Nothing was credited. Should the money come after all, payment.paid follows.",
        PAYMENT,
        _PAYMENT_SAMPLE,
    ),
    "payment.refunded": EventKind(
        "Money of a payment is on its way back to whoever paid; its share of the credit is taken from the balance.",
        REFUND,
        _REFUND_SAMPLE,
    ),
    "payment.refund_failed": EventKind(
        "A refund that was told of did not reach whoever paid: its credit is in the balance again.",
        REFUND,
        _REFUND_SAMPLE,
    ),
    "payment.disputed": EventKind(
        "The bank of whoever paid questions a payment. Its credit is taken from the balance as far as the bank holds the money back, "
        "perhaps later.",
        DISPUTE,
        _DISPUTE_SAMPLE,
    ),
    "payment.dispute_closed": EventKind(
        "A dispute is over. What the bank has given back is credited again.",
        {**DISPUTE, "withdrawn_usd": "What the bank keeps of it in the end"},
        {**_DISPUTE_SAMPLE, "withdrawn_usd": "0"},
    ),
}
