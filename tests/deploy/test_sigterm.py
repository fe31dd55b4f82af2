"""SIGTERM with work in hand: what can end by itself does, what cannot is ended in order, all is charged, and the exit is clean (R34)."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import psycopg
import pytest

from tests.deployment import Cluster
from tests.faults.clients import OpenCall, asking
from tests.faults.evidence import assert_holds
from tests.gateway.raw import RawClient
from tests.servers import standing_still
from tests.shop import SLUG, Shop, chat_body, exchange, open_shop
from tests.waiting import wait_until

STREAMS, PROCESSES, QUEUED = 50, 2, 12
WITHIN = {"tokens": 60, "pause_ms": 100}
BEYOND = {"tokens": 2000, "pause_ms": 100}
CHAT = "/v1/chat/completions"


@pytest.fixture
def shop(cluster: Cluster, tmp_path: Path) -> Iterator[Shop]:
    """A shop that the test may end: streams may go on for fifteen seconds."""
    more = {"DRAIN_SECONDS": "15", "UPSTREAM_FIRST_BYTE_SECONDS": "30", "UPSTREAM_IDLE_SECONDS": "30"}
    with open_shop(cluster, tmp_path, WEB_CONCURRENCY=str(PROCESSES), **more) as opened:
        yield opened


def left_behind(shop: Shop) -> dict[str, int]:
    """Rows of processes that did not end in order, or owe something, and what they owe."""
    [row] = shop.query("SELECT (SELECT count(*) FROM processes) AS processes, (SELECT count(*) FROM holds) AS holds")
    return row


def test_fifty_running_streams_complete_and_are_charged_before_a_clean_exit(shop: Shop) -> None:
    shop.fake.plans["within"] = WITHIN
    customers = [shop.customer(usd="10", limits=False) for _ in range(5)]
    calls = [OpenCall(customers[number % 5], stream=True, **asking("within")) for number in range(STREAMS)]
    wait_until(lambda: len(shop.query("SELECT id FROM holds")) == STREAMS and len(shop.billed) == STREAMS)

    shop.web.signal(signal.SIGTERM)
    received = [call.join() for call in calls]
    code = shop.web.wait()

    assert [(one.status, one.is_whole) for one in received] == [(200, True)] * STREAMS
    assert code == 0
    assert left_behind(shop) == {"processes": 0, "holds": 0}
    found = assert_holds(shop, received)
    assert (found.charged_calls, found.statuses) == (STREAMS, {"completed": STREAMS})
    assert shop.web.log.count("web_ended") == PROCESSES
    assert "settlements_lost" not in shop.web.log


def test_streams_beyond_the_limit_end_with_an_error_event_and_are_settled(shop: Shop) -> None:
    """What they cost is asked by the clock, which finds them as the customers got them."""
    shop.fake.plans |= {"beyond": BEYOND, "within": WITHIN}
    short, long = shop.customer(limits=False), shop.customer(limits=False)
    streams = [RawClient(long) for _ in range(5)]
    for stream in streams:
        stream.ask("fake/default", stream=True, **asking("beyond"))
    for stream in streams:
        stream.read_until(b"quick")
    calls = [OpenCall(short, stream=True, **asking("within")) for _ in range(5)]
    wait_until(lambda: len(shop.billed) == 10)

    shop.web.signal(signal.SIGTERM)
    texts = [stream.read_to_end().decode() for stream in streams]
    code = shop.web.wait()
    shop.flask("worker", "--once")

    assert all('"error":{' in text and '"code":"service_unavailable"' in text and text.rstrip().endswith("0") for text in texts)
    assert code == 0
    assert left_behind(shop)["holds"] == 0
    assert_holds(shop, [call.join() for call in calls])
    assert [row["status"] for row in long.rows] == ["partial"] * 5
    assert all(row["charge_nano"] > 0 for row in long.rows)


def test_with_a_notice_calls_are_still_taken_while_readiness_says_no(cluster: Cluster, tmp_path: Path) -> None:
    """DRAIN_NOTICE_SECONDS: each answer ends its connection, and afterwards nobody listens."""
    with open_shop(cluster, tmp_path, DRAIN_NOTICE_SECONDS="8", DRAIN_SECONDS="15") as shop:
        customer = shop.customer()
        kept = HTTPConnection("127.0.0.1", shop.web.port, timeout=60)
        headers = {"Authorization": f"Bearer {customer.key}"}
        before = exchange(kept, CHAT, chat_body(), headers=headers)

        shop.web.signal(signal.SIGTERM)
        wait_until(lambda: shop.web.status_of("/readyz") == 503)
        on_kept = exchange(kept, CHAT, chat_body(), headers=headers)
        on_new = customer.chat()
        ready = shop.call("/readyz")
        wait_until(lambda: shop.web.status_of("/healthz") == 0)
        code = shop.web.wait()

    assert (before.status, before.headers["connection"]) == (200, "keep-alive")
    assert [(answer.status, answer.headers["connection"]) for answer in (on_kept, on_new)] == [(200, "close")] * 2
    assert (ready.status, ready.json["checks"]["drain"].partition(":")[0]) == (503, "draining")
    assert code == 0


def test_connections_that_are_still_queued_when_sigterm_comes_are_answered(shop: Shop) -> None:
    """The kernel has let them in: each hears something whole, a refusal at least, and no connection just breaks."""
    customer = shop.customer(limits=False)
    with ExitStack() as stack:
        with standing_still(*shop.web.worker_pids):
            clients = [stack.enter_context(RawClient(customer)) for _ in range(QUEUED)]
            for client in clients:
                client.ask(SLUG)
            shop.web.signal(signal.SIGTERM)
            wait_until(lambda: all(has_sigterm_pending(pid) for pid in shop.web.worker_pids))
        answers = [client.read_to_end() for client in clients]
        code = shop.web.wait()

    said = [answer.split(b"\r\n")[0].split(b" ")[1] for answer in answers]
    assert set(said) <= {b"200", b"503"}
    assert all(b'"code":"service_unavailable"' in answer for answer in answers if b" 503 " in answer[:20])
    assert code == 0
    assert [row["status"] for row in customer.rows] == ["completed"] * said.count(b"200")


def test_without_a_notice_an_idle_connection_does_not_hold_up_the_end(shop: Shop) -> None:
    customer = shop.customer()
    kept = HTTPConnection("127.0.0.1", shop.web.port, timeout=60)
    exchange(kept, CHAT, chat_body(), headers={"Authorization": f"Bearer {customer.key}"})

    shop.web.signal(signal.SIGTERM)

    assert shop.web.wait(10) == 0


def test_a_worker_finishes_the_job_in_hand(shop: Shop, tmp_path: Path) -> None:
    """It waits inside a transaction when SIGTERM comes; the job ends as always, and its end is recorded."""
    with psycopg.connect(shop.admin_url) as blocker:
        blocker.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        worker = shop.worker(tmp_path)
        try:
            wait_until(lambda: waits_for_lock(shop, "sessions"))
            worker.signal(signal.SIGTERM)
            wait_until(lambda: not has_sigterm_pending(worker.pid))
            blocker.rollback()
            code = worker.wait()
        finally:
            worker.kill()

    assert code == 0
    [job] = shop.query("SELECT last_error, leased_by, succeeded_at IS NOT NULL AS is_done FROM job_runs WHERE name = 'forget old rows'")
    assert job == {"last_error": None, "leased_by": None, "is_done": True}
    assert "worker_ended" in worker.log


def waits_for_lock(shop: Shop, table: str) -> bool:
    sql = "SELECT 1 AS waits FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
    return bool(shop.query(sql, table))


def has_sigterm_pending(pid: int) -> bool:
    """The process has been sent SIGTERM and has not taken it yet."""
    with open(f"/proc/{pid}/status") as status:
        pending = next(line for line in status if line.startswith("ShdPnd:"))
    return bool(int(pending.split()[1], 16) & (1 << (signal.SIGTERM - 1)))
