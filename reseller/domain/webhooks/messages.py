"""What is sent of an event: one JSON object, the same at every try and at every endpoint. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from reseller.domain.outbox import EVENTS, Audience

_SAMPLE_EVENT = UUID("0199f3a2-7c11-7d3e-9a51-5a2f6f0b3c0f")
_SAMPLE_ACCOUNT = UUID("01985a3e-9d10-7c44-8f02-64d7f1a2b3c4")
_SAMPLE_INSTANT = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)


def message_id(event_id: UUID) -> str:
    """The id that receivers know a message by."""
    return f"evt_{event_id.hex}"


def body_of(event: Mapping[str, Any]) -> bytes:
    """The message as it is sent, its data in the order of EVENTS. Read are event_id, name, payload, created_at, told_account, is_test."""
    kind, payload, account_id = EVENTS.get(event["name"]), event["payload"], event["told_account"]
    message: dict[str, Any] = {
        "id": message_id(event["event_id"]),
        "type": event["name"],
        "timestamp": event["created_at"].astimezone(UTC).isoformat(),
        "account_id": str(account_id) if account_id else None,
        "data": payload if kind is None else {name: payload[name] for name in kind.fields if name in payload},
    }
    if event["is_test"]:
        message["is_test"] = True
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def sample_message(name: str) -> str:
    """The event as a message, for people to read."""
    kind = EVENTS[name]
    told_account = _SAMPLE_ACCOUNT if kind.audience is Audience.ACCOUNT else None
    facts = {"event_id": _SAMPLE_EVENT, "created_at": _SAMPLE_INSTANT, "told_account": told_account, "is_test": False}
    return readable(body_of({"name": name, "payload": kind.sample, **facts}))


def readable(body: bytes) -> str:
    """The message on as many lines as people need."""
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
