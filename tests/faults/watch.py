"""Somebody who looks at the books all the time: R1 and R3 at every second, whatever is being done to the shop."""

import threading
from collections.abc import Callable
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

SECOND = 1.0

# One statement sees one snapshot. Worked out from the rows that nothing of ours ever changes: entries that are not usage, and calls.
BOOKS = """
SELECT b.account_id, b.settled_nano, b.held_nano, b.open_calls,
       coalesce(m.nano, 0) - coalesce(u.nano, 0) AS left_nano, coalesce(h.nano, 0) AS holds_nano, coalesce(h.n, 0) AS holds
  FROM balances b
  LEFT JOIN (SELECT account_id, sum(amount_nano) AS nano FROM ledger_entries WHERE kind <> 'usage' GROUP BY 1) m USING (account_id)
  LEFT JOIN (SELECT account_id, sum(charge_nano) AS nano FROM usage_logs GROUP BY 1) u USING (account_id)
  LEFT JOIN (SELECT account_id, sum(amount_nano) AS nano, count(*) AS n FROM holds GROUP BY 1) h USING (account_id)
"""
TWICE = "SELECT generation_id, count(*) FROM usage_logs WHERE charge_nano > 0 AND generation_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"


class Watch:
    """Looks each second while inside; `problems` in words, `looks` as often as the database answered."""

    def __init__(self, url: str, tell: Callable[[str], None] = lambda words: None) -> None:
        self.problems: list[str] = []
        self.looks = self.blinks = 0
        self._url = url
        self._tell = tell
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(SECOND):
            try:
                self._look()
                self.looks += 1
            except psycopg.OperationalError:
                self._connection = None
                self.blinks += 1

    def _look(self) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(self._url, row_factory=dict_row, autocommit=True, connect_timeout=2)
        for row in self._connection.execute(BOOKS):
            if (row["settled_nano"], row["held_nano"], row["open_calls"]) != (row["left_nano"], row["holds_nano"], row["holds"]):
                self._found(f"R1: {row}")
            if row["settled_nano"] < row["held_nano"]:
                self._found(f"R3: {row}")
        for row in self._connection.execute(TWICE):
            self._found(f"R4: {row}")

    def _found(self, words: str) -> None:
        if words not in self.problems:
            self.problems.append(words)
            self._tell(words)
