"""What a key may ask about itself: its balance, its limits, its usage, and each of its calls with the arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import Request
from sqlalchemy import text

from reseller.clock import instant_of, now
from reseller.database import acting_for, transaction
from reseller.domain import keys, pricing
from reseller.domain.keys import ApiKey, Caller
from reseller.domain.ledger import balance_now
from reseller.domain.limits import RateLimit, RequestCounter, windows_now
from reseller.domain.usage import UsageLog, call_id_of, call_of, dropping, request_id, sums
from reseller.domain.usage.points import zone_named
from reseller.domain.usage.reports import Grouping
from reseller.errors import InvalidKey, InvalidRequest, NotFound
from reseller.money import format_decimal
from reseller.wiring import Wiring

MAX_DAYS = 366
DEFAULT_DAYS = 30
FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2199, 12, 31)


@contextmanager
def reading(caller: Caller) -> Iterator[ApiKey]:
    """A transaction that sees this caller's account only, for a key that works now. Raises InvalidKey."""
    with acting_for(caller.account_id), transaction():
        key = keys.key_of(caller)
        if not keys.is_usable(key):
            raise InvalidKey
        yield key


def credits_of(caller: Caller) -> dict[str, Any]:
    with reading(caller):
        return {"data": balance_now(caller.account_id).as_json()}


def key_facts(caller: Caller) -> dict[str, Any]:
    """The key's label, limits and usage; amounts are decimal strings of dollars."""
    with reading(caller) as key, transaction() as session:
        limits = session.get_one(RateLimit, caller.account_id)
        counter = session.get_one(RequestCounter, caller.account_id)
        at = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        allowance = windows_now(counter, limits, at.timestamp())
        purse = keys.purse_of(key)
        spent, limit = keys.spent_now(purse, at), purse.spend_limit_usd
        return {
            "data": {
                "label": key.name,
                "prefix": keys.shown_prefix(key.key_prefix),
                "is_test": key.is_test,
                "limit": None if limit is None else format_decimal(limit),
                "limit_remaining": None if limit is None else format_decimal(max(limit - spent - purse.held_usd, spent * 0)),
                "limit_period": None if limit is None else purse.spend_period,
                "usage": format_decimal(key.total_usd),
                "models": key.model_patterns,
                "expires_at": key.expires_at.isoformat() if key.expires_at else None,
                "created_at": key.created_at.isoformat(),
                "rate_limits": {
                    **{w.name: {"limit": w.limit, "remaining": w.remaining} for w in allowance.windows},
                    "max_tokens_per_request": limits.max_tokens_per_request,
                    "concurrent_requests": limits.concurrent_requests,
                },
            }
        }


def usage_of(caller: Caller, request: Request) -> dict[str, Any]:
    """Sums of the account's usage, grouped by day, model or key; days are those of `time_zone`."""
    zone = _zone(request)
    today = now().astimezone(zone).date()
    end = _day(request, "to", today)
    start = _day(request, "from", end - timedelta(days=DEFAULT_DAYS - 1))
    if start > end or (end - start).days >= MAX_DAYS:
        raise InvalidRequest(f"'from' must not be after 'to', and at most {MAX_DAYS} days lie between.", param="from")
    grouping = request.args.get("group_by", "day")
    if grouping not in ("day", "model", "key"):
        raise InvalidRequest("'group_by' must be day, model or key.", param="group_by")
    with reading(caller):
        rows = sums(caller.account_id, start, end, cast("Grouping", grouping), zone)
    return {
        "object": "list",
        "from": start.isoformat(),
        "to": end.isoformat(),
        "group_by": grouping,
        "data": [row.as_json(cast("Grouping", grouping)) for row in rows],
    }


def generation(house: Wiring, caller: Caller, shown_id: str) -> dict[str, Any]:
    """One call by our id: tokens, charge, the rule and the arithmetic behind it. Raises NotFound."""
    call_id = call_id_of(shown_id)
    with reading(caller):
        row = None if call_id is None else call_of(caller.account_id, call_id, instant_of(call_id))
        if row is None:
            gone = dropping.gone_words(instant_of(call_id)) if call_id is not None else None
            raise NotFound(gone or "No such request.", param="id")
        rates = house.book.rates_at(row.price_version, row.model) if row.price_version is not None else None
    return {"data": {**_call_facts(row, shown_id), "explanation": _explanation(row, rates)}}


def _call_facts(row: UsageLog, shown_id: str) -> dict[str, Any]:
    return {
        "id": shown_id,
        "request_id": request_id(row.id),
        "created_at": row.created_at.isoformat(),
        "status": row.status,
        "error_code": row.error_code,
        "model": row.model,
        "endpoint": f"/v1{row.endpoint}",
        "streamed": row.is_stream,
        "is_test": row.is_test,
        "tokens_prompt": row.prompt_tokens,
        "tokens_completion": row.completion_tokens,
        "tokens_cached": row.cached_tokens,
        "tokens_reasoning": row.reasoning_tokens,
        "charge": format_decimal(row.charge_usd),
        "held": format_decimal(row.hold_usd),
        "is_estimate": row.cost_source == "estimate",
        "parameters": row.request_metadata,
        "finish_reason": row.response_metadata.get("finish_reason"),
        "latency_ms": row.response_metadata.get("ended_ms"),
    }


def _explanation(row: UsageLog, rates: pricing.Rates | None) -> dict[str, Any] | None:
    """How the charge follows from tokens and sell prices; the supplier's cost stays inside the lines' sum only."""
    if rates is None or row.charge_usd == 0 or row.markup_percent is None:
        return None
    lines = pricing.customer_lines(row, rates)
    return {"rule_id": str(row.rule_id) if row.rule_id else None, "price_version": row.price_version, "lines": lines}


def _zone(request: Request) -> ZoneInfo:
    try:
        return zone_named(request.args.get("time_zone", "UTC"))
    except ValueError:
        raise InvalidRequest("'time_zone' must be the IANA name of a time zone, such as Asia/Kolkata.", param="time_zone") from None


def _day(request: Request, name: str, default: date) -> date:
    given = request.args.get(name)
    if given is None:
        return default
    try:
        day = date.fromisoformat(given)
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValueError(given)
        return day
    except ValueError:
        raise InvalidRequest(f"'{name}' must be a day such as 2026-11-22.", param=name) from None
