"""Usage rows as the till would have written them, many at once and at any instant. Each needs an app context that acts as the operator."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from reseller.clock import new_id
from reseller.database import transaction
from reseller.domain.usage import partitions

MODELS = ("acme/one", "acme/two", "acme/free")
FATES: tuple[tuple[str, str | None, str | None], ...] = (
    ("completed", None, "openrouter"),
    ("completed", None, "sandbox"),
    ("partial", "upstream_error", "openrouter"),
    ("abandoned", None, "openrouter"),
    ("failed", "upstream_timeout", "openrouter"),
    ("voided", "process_lost", "openrouter"),
    ("refused", "rate_limit_exceeded", "openrouter"),
    ("refused", "insufficient_credits", "openrouter"),
    ("refused", "model_not_found", None),
)


def row(at: datetime, account_id: UUID, **changes: Any) -> dict[str, Any]:
    """One completed call that cost 80 and was charged 100 nano-dollars, settled two seconds later; changed by keyword."""
    facts: dict[str, Any] = {
        "id": new_id(), "created_at": at, "account_id": account_id, "api_key_id": account_id, "status": "completed", "error_code": None,
        "endpoint": "/chat/completions", "model": "acme/one", "upstream": "openrouter", "is_test": False, "is_stream": False,
        "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "cached_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0,
        "cost_usd": "0.00000008", "cost_source": "inline", "charge_nano": 100, "hold_nano": 100, "overage_loss_nano": 0,
        "request_metadata": {}, "response_metadata": {"admitted_ms": 2, "sent_ms": 3, "first_byte_ms": 203, "ended_ms": 1003},
        "settled_at": at + timedelta(seconds=2),
    }  # fmt: skip
    return facts | changes


def write(rows: Iterable[dict[str, Any]]) -> None:
    """The rows are committed, and their months exist."""
    found = list(rows)
    partitions.make_past(min(row["created_at"] for row in found).date())
    statement = text("INSERT INTO usage_logs SELECT * FROM json_populate_recordset(NULL::usage_logs, CAST(:rows AS json))")
    with transaction() as session:
        session.execute(statement, {"rows": orjson.dumps(found).decode()})


def random_rows(chance: Random, accounts: list[UUID], count: int, *, start: datetime, days: int) -> list[dict[str, Any]]:
    """Calls of every kind, whose settlement may come hours after they began."""
    return [_random_row(chance, chance.choice(accounts), start + timedelta(seconds=chance.randrange(days * 86_400))) for _ in range(count)]


def _random_row(chance: Random, account_id: UUID, at: datetime) -> dict[str, Any]:
    status, error_code, upstream = chance.choice(FATES)
    is_paid = status in ("completed", "partial", "abandoned")
    ended_ms = chance.lognormvariate(6, 1.5)
    prompt, completion = (chance.randrange(5_000), chance.randrange(500)) if is_paid else (0, 0)
    return row(
        at,
        account_id,
        status=status,
        error_code=error_code,
        upstream=upstream,
        model=chance.choice(MODELS),
        is_test=chance.random() < 0.1,
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        charge_nano=chance.randrange(10**9) if is_paid else 0,
        cost_usd=str(Decimal(chance.randrange(10**12)).scaleb(-15)) if is_paid else None,
        overage_loss_nano=chance.choice((0, 0, 0, 17)) if is_paid else 0,
        response_metadata={} if status == "refused" else {"admitted_ms": 1.5, "sent_ms": 2, "first_byte_ms": 90.25, "ended_ms": ended_ms},
        settled_at=at + timedelta(seconds=chance.choice((0.3, 5, 900, 30_000))),
    )


def day(text_: str) -> datetime:
    """Midnight of that day in UTC."""
    return datetime.fromisoformat(text_).replace(tzinfo=UTC)
