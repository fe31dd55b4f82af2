"""The SQL of one admission-and-settlement commit: lock, read, write. Each statement serves a whole batch.

Order of locks: the accounts' balance rows first, sorted by id; everything else of an account
(key counters, windows, holds) is only written under that lock. So two processes cannot deadlock.

The write is one statement of the parts that the batch needs, each on its own table. Its guards sit in
the write itself (promise R3): the conditional UPDATE of balances, the DELETE that ends a hold, the unique
keys of holds and usage_logs. `reseller_expect` raises inside the statement, before COMMIT,
when a part touched another number of rows than it was meant to.
"""

from functools import cache

LOCK = "SELECT account_id FROM balances WHERE account_id = ANY($1) ORDER BY account_id FOR UPDATE"

LOCK_FREE = LOCK + " SKIP LOCKED"
"""Used after a wait was in vain: accounts that somebody else holds are left out, and only their calls wait."""

# A second statement on purpose: after a wait for the lock, its snapshot sees what the other process committed.
READ_ACCOUNTS = """
SELECT b.account_id, clock_timestamp(), b.settled_nano, b.held_nano, b.open_calls, b.usage_day, b.unposted_nano,
       b.entry_count, b.entries_nano, b.last_hash
  FROM balances b WHERE b.account_id = ANY($1)
"""

READ_ADMITTING = """
SELECT a.id, a.status = 'active', a.halted_at IS NOT NULL,
       r.requests_per_minute, r.requests_per_hour, r.requests_per_day, r.max_tokens_per_request, r.concurrent_requests,
       c.minute, c.hour, c.day, (SELECT max(version) FROM price_versions)
  FROM accounts a JOIN rate_limits r ON r.account_id = a.id JOIN request_counters c ON c.account_id = a.id
 WHERE a.id = ANY($1)
"""

# The limit and its counters are those of the newest key of the line: a key that was rotated spends from its successor's purse.
READ_KEYS = """
SELECT k.id, k.revoked_at IS NOT NULL, k.expires_at, k.model_patterns, coalesce(p.id, k.id),
       CASE WHEN p.id IS NULL THEN k.spend_limit_nano ELSE p.spend_limit_nano END, coalesce(p.spend_period, k.spend_period),
       coalesce(p.period_start, k.period_start), coalesce(p.spent_nano, k.spent_nano), coalesce(p.held_nano, k.held_nano)
  FROM api_keys k LEFT JOIN api_keys p ON p.id = k.spends_as_id WHERE k.id = ANY($1)
"""

READ_HOLDS = """
SELECT h.id, h.account_id, h.api_key_id, h.amount_nano, h.key_nano, coalesce(k.spends_as_id, h.api_key_id)
  FROM holds h LEFT JOIN api_keys k ON k.id = h.api_key_id WHERE h.id = ANY($1)
"""

READ_ENDED = "SELECT id, status, charge_nano FROM usage_logs WHERE id = ANY($1) AND created_at = ANY($2)"

PARTS = {
    "accounts": """
        UPDATE balances b
           SET settled_nano = b.settled_nano - d.charged,
               held_nano = b.held_nano - d.released + d.reserved,
               open_calls = b.open_calls - d.closed + d.opened,
               usage_day = d.usage_day, unposted_nano = d.unposted,
               entry_count = d.entry_count, entries_nano = d.entries_nano, last_hash = d.last_hash,
               reversal_floor_nano = greatest(0, least(b.reversal_floor_nano,
                   b.held_nano - d.released + d.reserved - b.settled_nano + d.charged)),
               updated_at = now()
          FROM json_to_recordset($J) AS d(account_id uuid, charged bigint, released bigint, reserved bigint,
               opened int, closed int, usage_day date, unposted bigint, entry_count bigint, entries_nano bigint, last_hash text)
         WHERE b.account_id = d.account_id
           AND (d.reserved = 0 OR b.settled_nano - d.charged - b.held_nano + d.released >= d.reserved)
        RETURNING 1
    """,
    "ended": """
        DELETE FROM holds h USING json_to_recordset($J) AS d(id uuid) WHERE h.id = d.id RETURNING 1
    """,
    "placed": """
        INSERT INTO holds SELECT * FROM json_populate_recordset(NULL::holds, $J) RETURNING 1
    """,
    "logged": """
        INSERT INTO usage_logs SELECT * FROM json_populate_recordset(NULL::usage_logs, $J) RETURNING 1
    """,
    "refused": """
        -- Sent again after a lost answer, the row is there already; it holds no money. A row that does not say when it was settled
        -- (nobody read a clock for it) is settled now.
        INSERT INTO usage_logs
        SELECT * FROM json_populate_recordset(
               json_populate_record(NULL::usage_logs, json_build_object('settled_at', clock_timestamp())), $J)
            ON CONFLICT DO NOTHING
    """,
    "noted": """
        UPDATE holds h
           SET generation_id = coalesce(d.generation_id, h.generation_id), draft = coalesce(d.draft, h.draft),
               chase_at = CASE WHEN d.draft IS NULL THEN h.chase_at ELSE now() END
          FROM json_to_recordset($J) AS d(id uuid, generation_id text, draft jsonb)
         WHERE h.id = d.id
    """,
    "keyed": """
        -- Use and total are the key's own; what is held and spent comes on the row of its purse.
        UPDATE api_keys k
           SET held_nano = k.held_nano + d.held, calls = k.calls + d.calls, total_nano = k.total_nano + d.total,
               spent_nano = CASE WHEN k.period_start = p.start THEN k.spent_nano ELSE 0 END + d.spent, period_start = p.start,
               last_used_at = CASE WHEN d.calls > 0 THEN now() ELSE k.last_used_at END,
               last_used_address = coalesce(d.address, k.last_used_address)
          FROM json_to_recordset($J) AS d(id uuid, held bigint, spent bigint, total bigint, calls int, address text)
          JOIN api_keys own ON own.id = d.id
         CROSS JOIN LATERAL (SELECT CASE own.spend_period
               WHEN 'day' THEN (now() AT TIME ZONE 'UTC')::date
               WHEN 'week' THEN date_trunc('week', now() AT TIME ZONE 'UTC')::date
               WHEN 'month' THEN date_trunc('month', now() AT TIME ZONE 'UTC')::date
               ELSE DATE '1970-01-01' END AS start) p
         WHERE k.id = d.id
    """,
    "counted": """
        UPDATE request_counters c SET minute = d.minute, hour = d.hour, day = d.day
          FROM json_to_recordset($J) AS d(account_id uuid, minute bytea, hour bytea, day bytea)
         WHERE c.account_id = d.account_id RETURNING 1
    """,
    "posted": """
        INSERT INTO ledger_entries SELECT * FROM json_populate_recordset(NULL::ledger_entries, $J) RETURNING 1
    """,
}
"""Part → its SQL; `$J` is its JSON. The order of the rows is no matter, that of the parts neither: no two touch the same row."""

COUNTED = {
    "accounts": "balances", "ended": "holds ended", "placed": "holds placed", "logged": "usage rows",
    "counted": "windows", "posted": "ledger entries",
}  # fmt: skip
"""Parts that must touch exactly as many rows as they were given, and what to call those rows."""

PREPARED = {
    "till_lock": ("uuid[]", LOCK),
    "till_lock_free": ("uuid[]", LOCK_FREE),
    "till_accounts": ("uuid[]", READ_ACCOUNTS),
    "till_admitting": ("uuid[]", READ_ADMITTING),
    "till_keys": ("uuid[]", READ_KEYS),
    "till_holds": ("uuid[]", READ_HOLDS),
    "till_ended": ("uuid[], timestamptz[]", READ_ENDED),
}
"""Prepared once per connection: several EXECUTEs then travel as one message, parsed and planned long before."""


@cache
def write_of(parts: tuple[str, ...]) -> tuple[str, str]:
    """Name and PREPARE statement of the write that consists of these parts.

    Its arguments: the JSON of each part, then the number of rows of each counted part.
    """
    counted = [part for part in parts if part in COUNTED]
    name = "till_write_" + "_".join(part[:3] for part in parts)
    types = ", ".join(["json"] * len(parts) + ["bigint"] * len(counted))
    ctes = ",\n".join(f"{part} AS ({PARTS[part].replace('$J', f'${number}')})" for number, part in enumerate(parts, 1))
    checks = [
        f"reseller_expect('{COUNTED[part]}', (SELECT count(*) FROM {part}), ${number})"  # noqa: S608 - constants only
        for number, part in enumerate(counted, len(parts) + 1)
    ]
    return name, f"PREPARE {name}({types}) AS WITH {ctes} SELECT {', '.join(checks) or '1'}"  # noqa: S608 - constants only
