"""The fake can be driven from outside, remembers what it billed, and runs alone."""

import contextlib
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from reseller.clients.openrouter import OpenRouter
from tests.clients.conftest import ask
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.openrouter_catalogue import prices_of

ROOT = Path(__file__).parent.parent.parent


def test_it_runs_alone_and_is_scripted_over_http() -> None:
    command = [sys.executable, "-m", "tests.fakes.openrouter", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        order = {"path": "/chat/completions", "replies": [{"status": 503}, {}]}
        requests.post(f"{base_url}/_script", json=order, timeout=5)

        statuses = [requests.post(f"{base_url}/chat/completions", json={"model": "m"}, timeout=5).status_code for _ in range(2)]
        seen = requests.get(f"{base_url}/_requests", timeout=5).json()["data"]
        billed = requests.get(f"{base_url}/_billed", timeout=5).json()["data"]
        process.terminate()

    assert statuses == [503, 200]
    assert [r["path"] for r in seen] == ["/chat/completions"] * 2
    assert [Decimal(b["cost"]) > 0 for b in billed] == [False, True]


def test_its_bill_is_never_simply_the_list_price(upstream: OpenRouter, fake: FakeOpenRouter) -> None:
    prompt, completion = prices_of("openai/gpt-4o-mini")

    for _ in range(5):
        ask(upstream, "openai/gpt-4o-mini")

    listed = [b["prompt_tokens"] * prompt + b["completion_tokens"] * completion for b in fake.billed]
    shares = {Decimal(b["cost"]) / price for b, price in zip(fake.billed, listed, strict=True)}
    assert len(shares) == 5
    assert all(Decimal("0.6") <= share < 1 for share in shares)


def test_the_same_seed_bills_the_same(fake: FakeOpenRouter, upstream: OpenRouter) -> None:
    ask(upstream, "openai/gpt-4o-mini")
    first = fake.billed[0]["cost"]
    fake.forget()

    ask(upstream, "openai/gpt-4o-mini")

    assert fake.billed[0]["cost"] == first


@pytest.mark.parametrize(("scenario", "is_billed"), [("error-mid-stream", False), ("stop-mid-stream", True), ("status-429", False)])
def test_it_bills_what_openrouter_would(fake: FakeOpenRouter, scenario: str, is_billed: bool) -> None:
    headers = {"Authorization": f"Bearer {fake.api_key}"}

    with contextlib.suppress(requests.RequestException):
        requests.post(f"{fake.base_url}/chat/completions", json={"model": f"fake/{scenario}", "stream": True}, headers=headers, timeout=5)

    assert (Decimal(fake.billed[0]["cost"]) > 0) is is_billed
