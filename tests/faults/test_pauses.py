"""A web process that stood still, and whoever was connected to it meanwhile (R9, R34)."""

import time
from contextlib import ExitStack

from config.leaving import FIRST_HEAD_SECONDS
from tests.faults.storm import Storm, rich_customer
from tests.gateway.raw import RawClient
from tests.servers import standing_still
from tests.shop import SLUG

CALLS = 6


def test_whoever_asked_while_the_process_stood_still_is_answered(storm: Storm) -> None:
    """Their connections look silent for too long by then. An answer that we end ourselves must not be charged as one nobody wanted."""
    who = rich_customer(storm)
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(who)) for _ in range(CALLS)]
        time.sleep(0.5)  # every connection is taken
        with standing_still(*storm.web.worker_pids):
            for client in clients:
                client.ask(SLUG, stream=True)
            time.sleep(FIRST_HEAD_SECONDS + 1)
        answers = [client.read_until(b"[DONE]") for client in clients]

    assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * CALLS
    rows = storm.query("SELECT status FROM usage_logs WHERE account_id = %s", who.person.account_id)
    assert [row["status"] for row in rows] == ["completed"] * CALLS
