"""Very many rows by a few statements: accounts with people, keys, balances and entries, and calls of the last 90 days.

A tenth of the accounts make most of the calls. Money is consistent enough for pages (balances, entries and calls of one size), but not
proved: entries carry no real hashes, so `flask ledger verify` would complain.
"""

# ruff: noqa: E501 - SQL, a thought a line

from sqlalchemy import text

from reseller.database import db, transaction
from reseller.domain.payments import deferred
from reseller.domain.usage import partitions, rollup
from tests.volume import outside

DAYS = 90

# A UUIDv7 of an instant, as `clock.new_id` makes them.
_ID = """CAST(lpad(to_hex(CAST(extract(epoch FROM {at}) * 1000 AS bigint)), 12, '0') || '7' || substr(md5({salt}), 1, 3) || '8'
         || substr(md5({salt}), 4, 15) AS uuid)"""


def _id(at: str, salt: str) -> str:
    return _ID.format(at=at, salt=salt)


_OPENED = "(now() - interval '100 days' + n * interval '1 minute')"
_ACCOUNTS = (
    f"""INSERT INTO accounts (id, name, status, created_at)
        SELECT {_id(_OPENED, "'account' || n")}, 'Customer ' || n, CASE WHEN n % 97 = 0 THEN 'suspended' ELSE 'active' END, {_OPENED}
          FROM generate_series(1, :accounts) n""",
    f"""INSERT INTO users (id, email, full_name, role, created_at)
        SELECT {_id(_OPENED, "'user' || n")}, 'person' || n || '@customer' || n || '.example', 'Person ' || n, 'customer', {_OPENED}
          FROM generate_series(1, :accounts) n""",
    f"""INSERT INTO memberships (id, account_id, user_id, role, created_at)
        SELECT {_id(_OPENED, "'member' || n")}, {_id(_OPENED, "'account' || n")}, {_id(_OPENED, "'user' || n")}, 'owner', {_OPENED}
          FROM generate_series(1, :accounts) n""",
    """INSERT INTO rate_limits (account_id, requests_per_minute) SELECT id, 300 FROM accounts WHERE name LIKE 'Customer %'""",
    """INSERT INTO request_counters (account_id, minute, hour, day) SELECT id, '', '', '' FROM accounts WHERE name LIKE 'Customer %'""",
    f"""INSERT INTO api_keys (id, account_id, key_hash, key_prefix, name, is_test, spend_period, period_start, spent_nano, held_nano, total_nano,
                             calls, created_at)
        SELECT {_id(_OPENED, "'key' || n")}, {_id(_OPENED, "'account' || n")}, md5('a' || n) || md5('b' || n), 'sk_live_' || substr(md5('p' || n), 1, 4),
               'Key ' || n, false, 'lifetime', '1970-01-01', 0, 0, 0, 0, {_OPENED}
          FROM generate_series(1, :accounts) n""",
    """CREATE TEMPORARY TABLE callers ON COMMIT DROP AS
       SELECT row_number() OVER (ORDER BY a.id) AS place, a.id AS account_id, k.id AS key_id FROM accounts a JOIN api_keys k ON k.account_id = a.id
        WHERE a.name LIKE 'Customer %'""",
    "ALTER TABLE callers ADD PRIMARY KEY (place)",
)

_AT = "date_trunc('milliseconds', now() - interval '90 days' * (1 - n / (:calls + 1.0)))"
_CALLS = f"""
INSERT INTO usage_logs (id, created_at, account_id, api_key_id, status, error_code, endpoint, model, served_model, upstream, is_test, is_stream,
       prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_usd, cost_source, charge_nano,
       hold_nano, overage_loss_nano, price_version, markup_percent, min_cost_nano, flag, request_metadata, response_metadata, settled_at, posted_on)
SELECT {_id("c.at", "'call' || c.n")}, c.at, k.account_id, k.key_id, c.status,
       CASE c.status WHEN 'failed' THEN (ARRAY['upstream_timeout', 'upstream_unavailable'])[1 + c.n % 2]
                     WHEN 'refused' THEN (ARRAY['rate_limit_exceeded', 'insufficient_credits', 'model_not_found'])[1 + c.n % 3] END,
       '/chat/completions', 'maker/model-' || c.lot % 12, 'maker/model-' || c.lot % 12, 'openrouter', c.lot % 40 = 0, c.lot % 2 = 0,
       CASE WHEN c.paid THEN 500 + c.lot ELSE 0 END, CASE WHEN c.paid THEN 100 + c.lot / 4 ELSE 0 END,
       CASE WHEN c.paid THEN 600 + c.lot + c.lot / 4 ELSE 0 END, 0, 0, 0,
       CASE WHEN c.paid THEN 0.0001 + c.lot * 0.0000001 END, CASE WHEN c.paid THEN 'inline' ELSE 'none' END,
       CASE WHEN c.paid THEN 125000 + c.lot * 125 ELSE 0 END, CASE WHEN c.status = 'refused' THEN 0 ELSE 500000 END, 0,
       1, 25, 0, CASE WHEN c.lot = 7 THEN 'estimate' END, '{{"stream": true}}',
       CASE WHEN c.status = 'completed' THEN jsonb_build_object('admitted_ms', 2 + c.lot / 400.0, 'sent_ms', 3, 'first_byte_ms', 203 + c.lot,
            'ended_ms', 1003 + 4 * c.lot, 'finish_reason', 'stop') ELSE '{{}}' END,
       c.at + interval '3 seconds', CASE WHEN c.paid THEN CAST(c.at AT TIME ZONE 'UTC' AS date) END
  FROM (SELECT n, {_AT} AS at, lot, status, status IN ('completed', 'partial', 'abandoned') AS paid,
               1 + CAST(floor(:accounts * power(luck, 3)) AS int) AS place
          FROM (SELECT n, luck, CAST(floor(random() * 1000) AS int) AS lot,
                       CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 33 = 0 THEN 'refused' WHEN n % 71 = 0 THEN 'partial' ELSE 'completed' END AS status
                  FROM (SELECT n, random() AS luck FROM generate_series(1, :calls) n) s) t) c
  JOIN callers k ON k.place = c.place ORDER BY c.n"""

_BOOKS = (
    f"""INSERT INTO ledger_entries (id, account_id, sequence, kind, amount_nano, balance_after_nano, reference, reason, actor, previous_hash,
                                   entry_hash, created_at)
        SELECT {_id("at", "account_id::text || sequence")}, account_id, sequence, kind, amount_nano,
               sum(amount_nano) OVER (PARTITION BY account_id ORDER BY sequence), reference, '', 'volume', repeat('0', 64), repeat('0', 64), at
          FROM (SELECT account_id, row_number() OVER (PARTITION BY account_id ORDER BY at, kind) AS sequence, kind, amount_nano, reference, at
                  FROM (SELECT account_id, 'usage' AS kind, -sum(charge_nano) AS amount_nano, account_id || ':' || posted_on AS reference,
                               posted_on + interval '1 day' AS at
                          FROM usage_logs WHERE charge_nano > 0 AND posted_on < current_date GROUP BY account_id, posted_on
                        UNION ALL
                        SELECT id, 'top_up', 20000000000 * greatest(1, CAST(:calls AS bigint) / 1000000), 'volume:' || id || ':' || m, created_at + m * interval '30 days'
                          FROM accounts CROSS JOIN generate_series(0, 2) m WHERE name LIKE 'Customer %') moves) numbered
         ORDER BY at""",
    """INSERT INTO balances (account_id, settled_nano, held_nano, open_calls, reversal_floor_nano, usage_day, unposted_nano, entry_count,
                            entries_nano, last_hash, updated_at)
       SELECT account_id, sum(amount_nano), 0, 0, 0, current_date, 0, count(*), sum(amount_nano), repeat('0', 64), now()
         FROM ledger_entries GROUP BY account_id""",
    f"""INSERT INTO staff_actions (id, actor, action, subject_kind, subject_id, account_id, reason, address, changes, created_at)
        SELECT {_id("a.created_at", "'action' || a.id")}, 'cli:volume', 'limits.change', 'account', a.id::text, a.id, 'volume', '', '{{}}', a.created_at
          FROM accounts a WHERE a.name LIKE 'Customer %'""",
)


def fill(*, accounts: int, calls: int, events: int) -> None:
    """So many accounts exist, with so many calls of theirs, summed and analysed. Takes a minute for a million.

    Of that many events the busiest tenth of the accounts was told, if so many of the newer half of the calls are theirs.
    """
    with transaction() as session:
        partitions.make_past(session.execute(text("SELECT (now() - interval '91 days')::date")).scalar_one())
        session.execute(text("SET LOCAL work_mem = '256MB'"))
        for statement in _ACCOUNTS:
            session.execute(text(statement), {"accounts": accounts})
        session.execute(text(_CALLS), {"accounts": accounts, "calls": calls})
        for statement in _BOOKS:
            session.execute(text(statement), {"calls": calls})
        outside.fill(session, {"accounts": accounts, "calls": calls, "events": events})
    rollup.run()
    deferred.close_days()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("VACUUM (ANALYZE)")
        )  # as the database does by itself: an index alone answers only for pages it has been over
