"""The job that tells audit rows to a place outside the database, for the day it goes back in time (R35)."""

import os
from datetime import timedelta
from pathlib import Path

import orjson
import structlog

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import jobs
from reseller.domain.journal import Line, Sums, ids_since, lines_of, sums_now
from reseller.worker.context import Context

KEEP_JOURNAL = "keep journal"
TO_THE_LOG = "log"
OVERLAP = timedelta(hours=2)
"""So far back are rows looked for that were not told yet: one says the time of its own machine's clock, which may be an hour behind,
and may be committed later than that. A worker that begins tells them all again; whoever reads takes each once."""

AT_FIRST = timedelta(days=30)

log = structlog.get_logger()


def keep_journal(context: Context) -> str:
    """What was done since the last run stands in the journal, and how much traffic there was ever."""
    place = context.wiring.settings.backup_journal
    if not place:
        return "none is kept: BACKUP_JOURNAL is empty"
    last = jobs.state_of(KEEP_JOURNAL)
    succeeded_at = last.succeeded_at if last else None
    with transaction() as session:
        found = ids_since(session, succeeded_at - OVERLAP if succeeded_at else now() - AT_FIRST)
        lines = lines_of(session, found - context.journalled)
        told: list[Line | Sums] = [*lines, sums_now(session)]
    if place == TO_THE_LOG:
        for each in told:
            log.info("journal", journal=orjson.loads(orjson.dumps(each)))
    else:
        _append(Path(place), told)
    context.journalled.clear()
    context.journalled.update(found)
    return f"{len(lines)} rows told"


def _append(path: Path, told: list[Line | Sums]) -> None:
    """On disk, for our eyes only. A line that a crash tore is told again."""
    lines = b"".join(orjson.dumps({"journal": each}) + b"\n" for each in told)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        written = os.write(file, b"\n" + lines if _is_torn(path) else lines)
        if written < len(lines):
            raise OSError(f"{path} took {written} bytes of {len(lines)}")
        os.fsync(file)
    finally:
        os.close(file)


def _is_torn(path: Path) -> bool:
    """Whether the file ends in the middle of a line."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
