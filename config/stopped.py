"""Whether a program was told to stop, for its signal handlers to say and its loops to ask.

Not threading.Event: a handler runs in the thread that it interrupts, and if that one is just inside `wait`, `set` waits for a lock
that the same thread holds, for ever. A pipe has no lock (signal-safety(7) lists write).
"""

import os
import select
import signal


class Stopped:
    """Said once, and true from then on."""

    def __init__(self) -> None:
        self._asked, self._told = os.pipe()

    def set(self) -> None:
        """From now on we are told to stop. A signal handler may call it at any moment."""
        os.write(self._told, b".")

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Whether we are told to stop, now or within so many seconds."""
        return bool(select.select([self._asked], [], [], seconds)[0])


def stopped_by(*signals: signal.Signals) -> Stopped:
    """What each of these signals says from now on. In the main thread only."""
    stopped = Stopped()
    for signum in signals:
        signal.signal(signum, lambda *_: stopped.set())
    return stopped
