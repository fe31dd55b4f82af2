"""`python -m tests.bench.fill ACCOUNTS ROWS`: a shop that has been open for a while.

So many rich accounts without limits, each with a key, and so many usage rows of theirs in this month,
whose partition the calls write to.
Prints the keys as a JSON list. The rows cost nothing, so that the books add up without them.
"""

import json
import sys

from sqlalchemy import text

from reseller import create_app
from reseller.clock import new_id
from reseller.database import acting_as_operator, transaction
from reseller.domain import keys, ledger, limits
from reseller.domain.accounts import Account
from reseller.domain.ledger import Balance
from reseller.domain.limits import RateLimit, RequestCounter
from reseller.money import parse_usd

ACTOR = "benchmark"
GRANT_USD = parse_usd("1000")

ROWS = text(
    """
    INSERT INTO usage_logs (id, created_at, account_id, api_key_id, endpoint, model, status, is_test, is_stream, prompt_tokens,
           completion_tokens, total_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_source, charge_nano, hold_nano,
           overage_loss_nano, request_metadata, response_metadata)
    SELECT gen_random_uuid(), now() - random() * (now() - date_trunc('month', now())), k.account_id, k.id, '/chat/completions',
           'bench/fast', 'completed', false, false, 20, 60, 80, 0, 0, 0, 'none', 0, 0, 0, '{}', '{"finish_reason": "stop"}'
      FROM generate_series(1, :rows) AS n
      JOIN (SELECT id, account_id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS keys FROM api_keys) k
        ON k.place = 1 + n % k.keys
    """
)


def open_account() -> str:
    """A rich account without limits; its key."""
    account_id = new_id()
    with transaction() as session:
        session.add(Account(id=account_id, name="bench"))
        session.flush()
        session.add_all([Balance(account_id=account_id), RateLimit(account_id=account_id), RequestCounter(account_id=account_id)])
        session.flush()
        limits.change(account_id, dict.fromkeys(limits.LIMIT_COLUMNS), actor=ACTOR)
        ledger.grant(account_id, GRANT_USD, reason="benchmark", actor=ACTOR)
        token, _ = keys.mint(account_id, name="bench", actor=ACTOR)
    return token


def main(accounts: int, rows: int) -> None:
    with create_app().app_context(), acting_as_operator():
        tokens = [open_account() for _ in range(accounts)]
        with transaction() as session:
            session.execute(text("SELECT set_config('statement_timeout', '0', true)"))
            session.execute(ROWS, {"rows": rows})
        with transaction() as session:
            session.execute(text("ANALYZE"))
    print(json.dumps(tokens))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
