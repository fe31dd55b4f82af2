"""The SQL of `rollup`: what to look for, what to forget, and each table of sums out of the one below it."""

# ruff: noqa: S608 - put together from constants only

from sqlalchemy import text

from reseller.domain.usage.histogram import BOUNDS_MS, BUCKETS
from reseller.domain.usage.rollup_tables import QUARTERS_A_DAY

SUMS = ("calls", "refused", "errors", "prompt_tokens", "completion_tokens", "charge_nano", "cost_usd", "overage_loss_nano")
LATENCIES = ("total_ms", "first_byte_ms", "added_ms")
TRAFFIC = ("is_test", "model", "upstream", "endpoint", "status", "error_code")

_EPOCH = "TIMESTAMPTZ '2000-01-01 00:00:00+00'"
_DAY = "CAST(CAST(:day AS date) AS timestamp) AT TIME ZONE 'UTC'"
_OF_THE_DAY = f"starts_at >= {_DAY} AND starts_at < {_DAY} + interval '1 day'"


def quarter(column: str) -> str:
    """SQL for when the quarter-hour of an instant begins."""
    return f"date_bin('15 minutes', {column}, {_EPOCH})"


def sums(table: str = "") -> str:
    """SQL that adds up the columns of SUMS."""
    return ", ".join(f"sum({table}{name}) AS {name}" for name in SUMS)


def added_up(name: str) -> str:
    """SQL that adds up histograms bucket by bucket: PostgreSQL has no sum of arrays."""
    return f"CASE WHEN count({name}) > 0 THEN ARRAY[{', '.join(f'sum({name}[{n}])' for n in range(1, BUCKETS + 1))}]::int[] END AS {name}"


def _counted(bucket: str) -> str:
    parts = ", ".join(f"count(*) FILTER (WHERE {bucket} = {n})" for n in range(BUCKETS))
    return f"CASE WHEN count({bucket}) > 0 THEN ARRAY[{parts}]::int[] END"


def _bucket(mark: str, minus: str | None = None) -> str:
    """SQL for the bucket of a mark of the call's clock; none where it is missing or no number."""
    marks = [name for name in (mark, minus) if name]
    are_numbers = " AND ".join(f"jsonb_typeof(response_metadata -> '{name}') = 'number'" for name in marks)
    value = " - ".join(f"CAST(response_metadata ->> '{name}' AS float8)" for name in marks)
    return f"CASE WHEN status = 'completed' AND {are_numbers} THEN width_bucket({value}, CAST(:bounds AS float8[])) END"


TOTAL_BUCKET = _bucket("ended_ms")

FACTS = """count(*) FILTER (WHERE status <> 'refused') AS calls, count(*) FILTER (WHERE status = 'refused') AS refused,
       count(*) FILTER (WHERE status IN ('failed', 'partial', 'voided')) AS errors,
       sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens, sum(charge_nano) AS charge_nano,
       coalesce(sum(cost_usd), 0) AS cost_usd, sum(overage_loss_nano) AS overage_loss_nano"""

# When the oldest transaction began that runs now: whatever commits later was settled after that.
SURE_UNTIL = text(
    """SELECT now(), least(now() - make_interval(secs => :late), min(xact_start))
         FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
)
TOUCHED = text(f"SELECT DISTINCT {quarter('created_at')} FROM usage_logs WHERE settled_at >= :since ORDER BY 1")
ALL = text(f"SELECT DISTINCT {quarter('created_at')} FROM usage_logs ORDER BY 1")

MARK = text(
    """INSERT INTO rollup_marks (name, settled_until, rolled_at) VALUES (:name, :until, now())
       ON CONFLICT (name) DO UPDATE SET settled_until = excluded.settled_until, rolled_at = excluded.rolled_at"""
)

FORGET_QUARTERS = tuple(
    text(f"DELETE FROM {table} WHERE starts_at >= :start AND starts_at < :end")
    for table in ("usage_hours", "usage_latencies", "traffic_hours", "traffic_totals")
)
FORGET_MONTH = text("DELETE FROM account_months WHERE month = :month")
FORGET_WINDOWS = text("DELETE FROM active_windows WHERE day = :day")
FORGET_DAY = tuple(text(f"DELETE FROM {table} WHERE day = :day") for table in ("account_days", "traffic_days"))

# All three tables in one statement: they see the same rows.
SUM_ROWS = text(
    f"""WITH rows AS MATERIALIZED (
        SELECT {quarter("created_at")} AS starts_at, account_id, api_key_id, model, coalesce(upstream, '') AS upstream, endpoint, status,
               coalesce(error_code, '') AS error_code, is_test, prompt_tokens, completion_tokens, charge_nano, cost_usd, overage_loss_nano,
               {TOTAL_BUCKET} AS total_bucket, {_bucket("first_byte_ms", "sent_ms")} AS first_byte_bucket,
               {_bucket("admitted_ms")} AS added_bucket
          FROM usage_logs WHERE created_at >= :start AND created_at < :end),
    by_account AS (
        INSERT INTO usage_hours (starts_at, account_id, api_key_id, model, is_test, {", ".join(SUMS)})
        SELECT starts_at, account_id, api_key_id, model, is_test, {FACTS} FROM rows GROUP BY 1, 2, 3, 4, 5),
    by_duration AS (
        INSERT INTO usage_latencies (starts_at, account_id, api_key_id, model, is_test, bucket, calls)
        SELECT starts_at, account_id, api_key_id, model, is_test, total_bucket, count(*)
          FROM rows WHERE total_bucket IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6)
    INSERT INTO traffic_hours (starts_at, {", ".join(TRAFFIC)}, {", ".join(SUMS)}, {", ".join(LATENCIES)})
    SELECT starts_at, {", ".join(TRAFFIC)}, {FACTS},
           {", ".join(map(_counted, ("total_bucket", "first_byte_bucket", "added_bucket")))}
      FROM rows GROUP BY starts_at, {", ".join(TRAFFIC)}"""
).bindparams(bounds=list(BOUNDS_MS))

SUM_TOTALS = text(
    f"""INSERT INTO traffic_totals (starts_at, is_test, {", ".join(SUMS)}, {", ".join(LATENCIES)})
    SELECT starts_at, is_test, {sums()}, {", ".join(map(added_up, LATENCIES))}
      FROM traffic_hours WHERE starts_at >= :start AND starts_at < :end GROUP BY 1, 2"""
)

SUM_TRAFFIC_DAY = text(
    f"""INSERT INTO traffic_days (day, {", ".join(TRAFFIC)}, {", ".join(SUMS)}, {", ".join(LATENCIES)})
    SELECT :day, {", ".join(TRAFFIC)}, {sums()}, {", ".join(map(added_up, LATENCIES))}
      FROM traffic_hours WHERE {_OF_THE_DAY} GROUP BY {", ".join(TRAFFIC)}"""
)

_NO_QUARTER = f"CAST(repeat('0', {QUARTERS_A_DAY}) AS bit({QUARTERS_A_DAY}))"
_NUMBER = f"CAST(extract(epoch FROM starts_at) AS bigint) / 900 % {QUARTERS_A_DAY}"
SUM_ACCOUNT_DAY = text(
    f"""INSERT INTO account_days (day, account_id, quarters, {", ".join(SUMS)})
    SELECT :day, account_id, coalesce(bit_or(set_bit({_NO_QUARTER}, CAST({_NUMBER} AS int), 1)) FILTER (WHERE calls > 0), {_NO_QUARTER}),
           {sums()}
      FROM usage_hours WHERE {_OF_THE_DAY} AND NOT is_test GROUP BY account_id"""
)

FIRST_DAY = text("SELECT min(day) FROM account_days")
SUM_ACCOUNT_MONTH = text(
    f"""INSERT INTO account_months (month, account_id, {", ".join(SUMS)})
    SELECT :month, account_id, {sums()} FROM account_days WHERE day >= :month AND day < :after GROUP BY account_id"""
)

# An account is missing from the window that begins at quarter q if its last quarter of the day is before q and its first of the
# next day is not before q: so its pair (last, first) is all that counts, and few pairs differ.
_LAST = f"coalesce({QUARTERS_A_DAY - 1} - (position('1' IN reverse(CAST(d.quarters AS text))) - 1), -1)"
_FIRST = "position('1' IN CAST(n.quarters AS text)) - 1"
SUM_WINDOWS = text(
    f"""INSERT INTO active_windows (day, accounts)
    WITH pairs AS (
        SELECT coalesce({_LAST}, -1) AS last, coalesce({_FIRST}, {QUARTERS_A_DAY}) AS first, count(*) AS accounts
          FROM (SELECT account_id, quarters FROM account_days WHERE day = :day AND calls > 0) d
          FULL JOIN (SELECT account_id, quarters FROM account_days WHERE day = CAST(:day AS date) + 1 AND calls > 0) n USING (account_id)
         GROUP BY 1, 2)
    SELECT :day, array_agg(active ORDER BY q)
      FROM (SELECT q, coalesce(sum(accounts) FILTER (WHERE last >= q OR first < q), 0) AS active
              FROM generate_series(0, {QUARTERS_A_DAY - 1}) q LEFT JOIN pairs ON true GROUP BY q) windows"""
)

FIRST_MONTH = text(
    """SELECT min(to_date(right(c.relname, 7), 'YYYY_MM'))::text
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'usage_logs'::regclass
          AND NOT EXISTS (SELECT FROM dropped_months d WHERE d.month = to_date(right(c.relname, 7), 'YYYY_MM'))"""
)

_SPAN = "starts_at >= :first AND starts_at < :last"
_SPAN_OF_DAYS = "day >= CAST(:first AS date) AND day < CAST(:last AS date)"


def _wrong(key: str, sides: dict[str, str]) -> str:
    """SQL for the keys under which not all sides say the same; each side is a query of key and sums."""
    all_sides = " UNION ALL ".join(f"SELECT '{name}' AS side, * FROM ({query}) q" for name, query in sides.items())
    return f"""SELECT {key} FROM ({all_sides}) s GROUP BY {key}
               HAVING count(*) < {len(sides)} OR count(DISTINCT ({", ".join(SUMS)})) > 1"""


_RAW_QUARTERS = (
    f"SELECT {quarter('created_at')} AS starts_at, {FACTS} FROM usage_logs WHERE created_at >= :first AND created_at < :last GROUP BY 1"
)
WRONG_QUARTERS = text(
    _wrong(
        "starts_at",
        {"raw": _RAW_QUARTERS}
        | {
            table: f"SELECT starts_at, {sums()} FROM {table} WHERE {_SPAN} GROUP BY 1"
            for table in ("usage_hours", "traffic_hours", "traffic_totals")
        },
    )
)
_DAYS_OF_TRAFFIC = "(starts_at AT TIME ZONE 'UTC')::date"
WRONG_DAYS = text(
    "SELECT CAST(day AS timestamp) AT TIME ZONE 'UTC' FROM ("
    + _wrong(
        "day",
        {
            "quarters": f"SELECT {_DAYS_OF_TRAFFIC} AS day, {sums()} FROM traffic_totals WHERE {_SPAN} GROUP BY 1",
            "traffic": f"SELECT day, {sums()} FROM traffic_days WHERE {_SPAN_OF_DAYS} GROUP BY 1",
        },
    )
    + ") a UNION SELECT CAST(day AS timestamp) AT TIME ZONE 'UTC' FROM ("
    + _wrong(
        "day",
        {
            "quarters": f"SELECT {_DAYS_OF_TRAFFIC} AS day, {sums()} FROM usage_hours WHERE {_SPAN} AND NOT is_test GROUP BY 1",
            "accounts": f"SELECT day, {sums()} FROM account_days WHERE {_SPAN_OF_DAYS} GROUP BY 1",
        },
    )
    + ") b"
)
_DAYS_OF_MONTHS = f"{_SPAN_OF_DAYS} AND day < CAST(:months_until AS date)"
_SPAN_OF_MONTHS = "month >= CAST(:first AS date) AND month < CAST(:last AS date) AND month < CAST(:months_until AS date)"
WRONG_MONTHS = text(
    "SELECT DISTINCT CAST(month AS timestamp) AT TIME ZONE 'UTC' FROM ("
    + _wrong(
        "month, account_id",
        {
            "days": f"""SELECT CAST(date_trunc('month', day) AS date) AS month, account_id, {sums()}
                          FROM account_days WHERE {_DAYS_OF_MONTHS} GROUP BY 1, 2""",
            "months": f"""SELECT month, account_id, {", ".join(SUMS)} FROM account_months WHERE {_SPAN_OF_MONTHS}""",
        },
    )
    + ") m"
)
# Every completed call whose duration is known is in one bucket of its account and in one of everybody's.
WRONG_LATENCIES = text(
    """SELECT starts_at
         FROM (SELECT starts_at, sum(calls) AS calls FROM usage_latencies WHERE starts_at >= :first AND starts_at < :last GROUP BY 1) mine
         FULL JOIN (SELECT starts_at, sum(counted.calls) AS calls FROM traffic_totals, unnest(total_ms) AS counted (calls)
                     WHERE starts_at >= :first AND starts_at < :last GROUP BY 1) everybodys USING (starts_at)
        WHERE mine.calls IS DISTINCT FROM everybodys.calls"""
)
