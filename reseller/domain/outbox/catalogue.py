"""EVENTS: every kind of event by its name, with what it tells and a sample. The page for API users is made of this table.

Where to add: an entry here, and `announce` in the transaction of the verb that causes it; a test fails for one without the other.
"""

from reseller.domain.outbox.kinds import EventKind

KEY = {
    "key_id": "Our id of the key",
    "prefix": "How the key begins: all that is ever shown of it again",
    "name": "What its owner calls it",
    "is_test": "Whether it is a test key",
}
_KEY_SAMPLE = {"key_id": "0199f3a2-7c11-7d3e-9a51-5a2f6f0b3c10", "prefix": "sk_live_abc1…", "name": "production", "is_test": False}

ALERT = {"alert_rule_id": "Our id of the alert", "kind": "What it watches", "line": "Its line, in words"}

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
}
