"""A worker's context over the app under test, and an upstream whose records are scripted."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from reseller.clients.upstream import GenerationRecord
from reseller.domain.calls import Till
from reseller.errors import UpstreamDown
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker.context import Context


@dataclass
class Records:
    """An upstream that only tells what it billed: nothing, a record, or an error."""

    name: str = "openrouter"
    has_records: bool = True
    told: dict[str, GenerationRecord] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    def find_generation(self, generation_id: str) -> GenerationRecord | None:
        self.asked.append(generation_id)
        if self.is_down:
            raise UpstreamDown("no answer")
        return self.told.get(generation_id)


def record(generation_id: str, cost_usd: str, **changes: Any) -> GenerationRecord:
    """What the upstream says of a call."""
    facts: dict[str, Any] = {
        "prompt_tokens": 21,
        "completion_tokens": 8,
        "reasoning_tokens": 0,
        "cached_tokens": 0,
        "model": "acme/one-fast",
        "is_byok": False,
    }
    return GenerationRecord(generation_id=generation_id, cost_usd=Decimal(cost_usd), **(facts | changes))


@pytest.fixture
def till(app: Flask) -> Till:
    return wiring_of(app).till


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def make_record() -> Callable[..., GenerationRecord]:
    return record


@pytest.fixture
def context(app: Flask, records: Records) -> Context:
    """What a job gets on a worker that has lived for a while."""
    wiring: Any = replace(wiring_of(app), upstreams={"openrouter": records})
    return Context(wiring, Heart(app, "worker"), is_once=True)


@pytest.fixture
def sending(app: Flask, make_app: Callable[..., Flask]) -> Context:
    """A worker whose deployment lets webhooks go to this machine."""
    settings = wiring_of(make_app(WEBHOOKS_ALLOW_LOOPBACK="true", SECRET_KEY="s" * 40)).settings
    return Context(replace(wiring_of(app), settings=settings), Heart(app, "worker"), is_once=True)
