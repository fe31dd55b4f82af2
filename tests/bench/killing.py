"""`kill -9` in the middle of the load: every answer that a client had whole has its charge, none has two (R10, R12)."""

import os
import signal
import threading
from dataclasses import dataclass

import psycopg

from tests.bench.answers import WHOLE
from tests.bench.generator import Size
from tests.bench.scenarios import CONNECTIONS
from tests.bench.stack import SMALL, Stack, database_dsn

KILL_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Killed:
    """What was counted on both sides of the kill."""

    whole_answers: int
    charged_calls: int
    charged_nano: int

    @property
    def is_right(self) -> bool:
        """Nobody has an answer without a charge; a charge without a whole answer is one that the kill kept from its client."""
        surplus = self.charged_calls - self.whole_answers
        return 0 <= surplus <= CONNECTIONS and self.charged_nano == self.charged_calls * WHOLE.charge_nano


def kill_under_load(stack: Stack) -> Killed:
    """The web process is gone, with everything it had in memory. The generator has counted what arrived whole."""
    ours = stack.target("ours")
    calls, nano = _charged(stack)
    killer = threading.Timer(KILL_AFTER_SECONDS, _kill_all, [ours.web.root])
    killer.start()
    run = stack.generator.run_until_it_dies(ours, WHOLE, Size(CONNECTIONS, seconds=KILL_AFTER_SECONDS + 1))
    killer.join()
    calls_after, nano_after = _charged(stack)
    return Killed(run, calls_after - calls, nano_after - nano)


def _kill_all(root: int) -> None:
    """The process group that holds gunicorn and its worker."""
    os.killpg(root, signal.SIGKILL)


def _charged(stack: Stack) -> tuple[int, int]:
    with psycopg.connect(database_dsn(stack.postgres, SMALL), autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(sum(charge_nano), 0)::bigint FROM usage_logs WHERE status = 'completed' AND charge_nano > 0"
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
