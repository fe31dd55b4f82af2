"""The operator's account at the fake OpenRouter: credit, keys, and what was billed by day.

Shapes as in OpenRouter's docs ("Get remaining credits", "Get user activity grouped by endpoint", 2026-08). As there, a page of figures
wants a management key, and only days of the last 30 are known.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

MANAGEMENT_KEY = "sk-or-v1-management-never-makes-calls"


def hash_of(api_key: str) -> str:
    return sha256(api_key.encode()).hexdigest()


@dataclass
class Account:
    """`activity` has the rows; each may say of which key it is (`key`, which is not told)."""

    bought: str = "100"
    used: str = "0"
    keys: set[str] = field(default_factory=set)  # hashes
    activity: list[dict[str, Any]] = field(default_factory=list)
    page_rows: int = 1_000

    def bill(self, day: date, model: str, cost: Decimal | str, *, requests: int = 1, key: str = "", **more: Any) -> None:
        """One row of a day's activity."""
        self.activity.append(
            {
                "date": f"{day.isoformat()} 00:00:00",
                "model": model,
                "model_permaslug": f"{model}-2026-01-01",
                "endpoint_id": f"endpoint-{len(self.activity)}",
                "provider_name": "FakeInfra",
                "usage": orjson.Fragment(str(cost)),
                "byok_usage_inference": 0,
                "requests": requests,
                "prompt_tokens": 7 * requests,
                "completion_tokens": 3 * requests,
                "reasoning_tokens": 0,
                "key": hash_of(key) if key else None,
                **more,
            }
        )

    def bill_calls(self, day: date, billed: Iterable[dict[str, Any]], **more: Any) -> None:
        """The day's activity has the calls that the fake has billed, by model."""
        rows = list(billed)
        for model in sorted({row["model"] for row in rows}):
            of_model = [row for row in rows if row["model"] == model]
            self.bill(day, model, sum(Decimal(row["cost"]) for row in of_model), requests=len(of_model), **more)

    def answer(self, path: str, query: dict[str, list[str]], authorization: str) -> tuple[int, Any]:
        """Status and body of a GET."""
        if authorization != f"Bearer {MANAGEMENT_KEY}":
            return 403, {}
        if path == "/credits":
            return 200, {"data": {"total_credits": orjson.Fragment(self.bought), "total_usage": orjson.Fragment(self.used)}}
        if path.startswith("/keys/"):
            known = path.removeprefix("/keys/") in self.keys
            return (200, {"data": {"hash": path.removeprefix("/keys/")}}) if known else (404, {})
        return 200, self._activity(query)

    def _activity(self, query: dict[str, list[str]]) -> dict[str, Any]:
        asked, key = query.get("date", [""])[0], query.get("api_key_hash", [""])[0]
        rows = [row for row in self.activity if row["date"].startswith(asked) and (not key or row["key"] == key)]
        start = int(query.get("offset", ["0"])[0])
        page = [{name: value for name, value in row.items() if name != "key"} for row in rows[start : start + self.page_rows]]
        return {"data": page, "links": {"next": "http://127.0.0.1:9/stolen" if start + self.page_rows < len(rows) else None}}
