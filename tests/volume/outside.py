"""What a shop of that size has told others, and been told by them: payments, webhooks, alarms. Run after the calls are there."""

# ruff: noqa: E501 - SQL, a thought a line

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.orm import Session

_PAYMENTS = (
    """INSERT INTO payments (id, account_id, amount_nano, bonus_nano, status, paid_at, session_id, intent_id, charge_id, total_nano, fee_nano,
                             taken_by_refunds_nano, taken_by_disputes_nano, taken_bonus_nano, reversals, created_at)
       SELECT id, account_id, amount_nano, 0, 'paid', created_at + interval '1 minute', 'cs_' || id, 'pi_' || id, 'ch_' || id, amount_nano,
              amount_nano * 29 / 1000 + 300000000, 0, 0, 0, 0, created_at
         FROM ledger_entries WHERE kind = 'top_up'""",
    """INSERT INTO payment_moves (id, payment_id, account_id, kind, amount_nano, credit_nano, tax_nano, created_at)
       SELECT gen_random_uuid(), id, account_id, kind, CASE kind WHEN 'payment' THEN amount_nano ELSE -fee_nano END,
              CASE kind WHEN 'payment' THEN amount_nano ELSE 0 END, 0, paid_at
         FROM payments CROSS JOIN (VALUES ('payment'), ('fee')) kinds (kind)""",
)

_WEBHOOKS = (
    """INSERT INTO webhook_endpoints (id, account_id, url, description, sealed_secret, is_slow, created_at)
       SELECT gen_random_uuid(), account_id, 'https://programs.example/' || account_id, '', 'sealed', false, now() - interval '80 days'
         FROM callers WHERE place <= :accounts / 10""",
    """INSERT INTO outbox (id, account_id, name, payload, dispatched_at, created_at)
       SELECT u.id, u.account_id, 'limit.hit', '{"limit": "minute"}', u.created_at, u.created_at
         FROM usage_logs u JOIN (SELECT DISTINCT account_id FROM webhook_endpoints) e USING (account_id)
        WHERE u.id > (SELECT id FROM usage_logs ORDER BY id DESC OFFSET :calls / 2 LIMIT 1)
        ORDER BY u.id LIMIT :events""",
    """INSERT INTO webhook_deliveries (id, account_id, endpoint_id, event_id, event_name, is_test, state, attempts, is_aside, next_try_at, kept_until,
                                       ended_at, last_status, created_at)
       SELECT o.id, o.account_id, e.id, o.id, o.name, false, CASE WHEN o.position % 500 = 0 THEN 'given_up' ELSE 'delivered' END, 1, false,
              o.created_at, o.created_at + interval '72 hours', o.created_at, CASE WHEN o.position % 500 = 0 THEN 500 ELSE 200 END, o.created_at
         FROM outbox o JOIN webhook_endpoints e USING (account_id) ORDER BY o.position""",
    """INSERT INTO webhook_attempts (id, account_id, delivery_id, endpoint_id, number, url, request_headers, status, answer_headers, answer, took_ms, created_at)
       SELECT id, account_id, id, endpoint_id, 1, 'https://programs.example/', '{"content-type": "application/json"}', last_status, '{}', 'OK', 40, created_at
         FROM webhook_deliveries""",
)

_ALARMS = (
    """INSERT INTO alarms (id, alarm, subject, words, times, first_seen_at, last_seen_at, note, cleared_at, cleared_by)
       SELECT gen_random_uuid(), 'payment_foreign', n::text, 'seen', 1, now() - n * interval '20 minutes', now() - n * interval '20 minutes', '',
              CASE WHEN n > 40 THEN now() - n * interval '19 minutes' END, CASE WHEN n > 40 THEN 'system:clock' END
         FROM generate_series(1, 5000) n""",
)


def fill(session: Session, numbers: Mapping[str, int]) -> None:
    """Every top-up has its payment, the tenth of the accounts that calls most an endpoint with its share of the events. `numbers`: accounts, calls, events."""
    for statement in (*_PAYMENTS, *_WEBHOOKS, *_ALARMS):
        session.execute(text(statement), numbers)
