"""The server ends: in order, with every answer settled (R34), or by kill -9, with every hold resolved (R10, R11)."""

import os
import signal
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.deployment import Cluster
from tests.gateway.raw import RawClient
from tests.shop import Shop, charge_for, open_shop
from tests.waiting import wait_until


@pytest.fixture
def own_shop(cluster: Cluster, tmp_path: Path) -> Iterator[Shop]:
    """A shop that the test may end."""
    with open_shop(cluster, tmp_path, DRAIN_SECONDS="4", UPSTREAM_FIRST_BYTE_SECONDS="30") as shop:
        yield shop


def test_sigterm_lets_short_answers_finish_ends_long_ones_with_an_error_and_settles_all(own_shop: Shop) -> None:
    """R34."""
    shop, short, long, waiting = own_shop, own_shop.customer(), own_shop.customer(), own_shop.customer()
    shop.fake.script("/chat/completions", {"tokens": 1000, "pause_ms": 50}, {"tokens": 10, "pause_ms": 100}, {"before": "hang"})
    clients = [RawClient(long), RawClient(short), RawClient(waiting)]
    for client in clients[:2]:
        client.ask("fake/default", stream=True)
        client.read_until(b"quick")
    clients[2].ask("fake/default")
    wait_until(lambda: waiting.holds)

    shop.web.signal(signal.SIGTERM)
    wait_until(lambda: shop.web.status_of("/readyz") != 200)
    texts = [client.read_to_end().decode() for client in clients]
    exit_code = shop.web.wait()

    assert "data: [DONE]" in texts[1]
    assert '"error":{' in texts[0]
    assert '"code":"service_unavailable"' in texts[0]
    assert texts[2].startswith("HTTP/1.1 503")
    assert exit_code == 0
    assert (short.row["status"], short.row["charge_nano"]) == ("completed", charge_for(short.bill))
    assert (waiting.row["status"], waiting.row["charge_nano"], waiting.holds) == ("failed", 0, [])
    shop.flask("worker", "--once")
    assert (long.row["status"], long.row["cost_source"], long.holds) == ("partial", "generation", [])
    assert long.row["charge_nano"] == charge_for(long.bill) > 0
    assert "0 open holds: all agree" in shop.flask("ledger", "verify")


def test_after_kill_nine_in_mid_stream_every_hold_is_resolved_within_a_minute(own_shop: Shop, tmp_path: Path) -> None:
    """R10: charged at true cost where the generation id is stored, voided where it is not. R11: within 60 s."""
    shop, streaming, waiting = own_shop, own_shop.customer(), own_shop.customer()
    shop.fake.script("/chat/completions", {"tokens": 1000, "pause_ms": 50}, {"before": "hang"})
    with shop.worker(tmp_path), RawClient(streaming) as first, RawClient(waiting) as second:
        first.ask("fake/default", stream=True)
        first.read_until(b"quick")
        second.ask("fake/default")
        wait_until(lambda: waiting.holds and streaming.holds and streaming.holds[0]["generation_id"])

        shop.web.kill()

        wait_until(lambda: not shop.query("SELECT id FROM holds"), 60)

    assert (streaming.row["status"], streaming.row["flag"]) == ("partial", "process_lost")
    assert streaming.row["charge_nano"] == charge_for(streaming.bill) > 0
    assert (waiting.row["status"], waiting.row["charge_nano"]) == ("voided", 0)
    assert "0 open holds: all agree" in shop.flask("ledger", "verify")


def test_a_worker_process_that_is_killed_is_replaced_and_its_committed_charges_stay(own_shop: Shop) -> None:
    """R10: kill -9 loses no committed settlement."""
    customer = own_shop.customer(limits=False)
    stop = threading.Event()
    charged: list[str] = []

    def buy() -> None:
        while not stop.is_set():
            try:
                charged.append(customer.chat().headers["x-request-cost"])
            except (OSError, HTTPException, KeyError):
                continue

    buyers = [threading.Thread(target=buy, daemon=True) for _ in range(4)]
    for buyer in buyers:
        buyer.start()
    wait_until(lambda: len(charged) > 20)
    (pid,) = own_shop.web.worker_pids
    before = len(charged)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(charged) > before + 20)
    stop.set()
    for buyer in buyers:
        buyer.join(60)

    settled = [row for row in customer.rows if row["status"] == "completed"]
    assert len(settled) >= len(charged)
    assert customer.books.settled_nano == 10 * 10**9 - sum(row["charge_nano"] for row in customer.rows)
    assert own_shop.web.worker_pids != [pid]
