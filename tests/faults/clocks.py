"""Wall clocks of their own for processes under test, which a test can step while they run (R39). Monotonic clocks stay true.

libfaketime answers in place of the C library's clock functions, and looks into a file for the offset.
"""

from pathlib import Path


class WallClock:
    """The clock of the processes that were started with `environment`."""

    def __init__(self, library: str, file: Path) -> None:
        self._file = file
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds until it looks again
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        }
        self.step(0)

    def step(self, seconds: int) -> None:
        """Within a second the clock is so far ahead of the true time, or behind it."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        draft.replace(self._file)
