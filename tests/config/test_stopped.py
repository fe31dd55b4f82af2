"""What a signal handler says is heard, whatever it interrupts."""

import subprocess
import sys
import threading
from pathlib import Path

from config.stopped import Stopped

ROOT = Path(__file__).parents[2]

INTERRUPTED = """
import random, signal
from config.stopped import stopped_by
for _ in range(300):
    stopped = stopped_by(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.0003))
    while not stopped.wait(0.00001):
        pass
print("heard", flush=True)
"""
"""The signal comes at every point of a wait, one time or another. A threading.Event waits for ever after some twenty of them."""


def test_a_signal_within_a_wait_is_heard() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_it_is_said_once_and_stays_said() -> None:
    stopped = Stopped()

    assert not stopped.is_set()
    assert not stopped.wait(0.01)
    stopped.set()
    stopped.set()
    assert stopped.is_set()
    assert stopped.wait(60)
    assert stopped.is_set()


def test_a_wait_ends_when_it_is_said() -> None:
    stopped = Stopped()
    threading.Timer(0.05, stopped.set).start()

    assert stopped.wait(60)
