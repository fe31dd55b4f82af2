"""What happened after a backup, from whoever still knows: journals, or the database that is given up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from config.postgres import DRIVER
from config.postgres.clients import libpq_url
from reseller.backups import Tell
from reseller.backups.archive import BackupRefused
from reseller.database import acting_as_operator
from reseller.domain.journal import Line, Sums, lines_since, sums_now

MARGIN = timedelta(hours=2)
"""Clocks of machines differ, and a row may have been committed after its time; what the backup knows already is left out by its id."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Lines that may be news to the backup, and the last sums; `until` is how far the memory goes, None for no memory."""

    lines: tuple[Line, ...] = ()
    sums: Sums | None = None

    @property
    def until(self) -> datetime | None:
        return max((*(line.at for line in self.lines), *((self.sums.at,) if self.sums else ())), default=None)


def from_journals(paths: Iterable[Path], taken_at: datetime, *, tell: Tell) -> Remembered:
    """What stands in these files, in the worker's own lines or among those of a log. Raises BackupRefused if one cannot be read."""
    lines: list[Line] = []
    sums: list[Sums] = []
    for path in paths:
        told = _read_all(path)
        lines += [each for each in told if isinstance(each, Line) and each.at >= taken_at - MARGIN]
        sums += [each for each in told if isinstance(each, Sums)]
        if torn := told.count(None):
            tell(
                f"warning: {torn} lines of {path} cannot be read; they may be torn by a crash, which the worker mends by telling them again"
            )
    return Remembered(tuple(lines), max(sums, key=lambda each: each.at, default=None))


def _read_all(path: Path) -> list[Line | Sums | None]:
    """What its lines of a journal say, None for each that cannot be read; others are passed over."""
    try:
        with path.open("rb") as file:
            return [_read(raw) for raw in file if b'"journal"' in raw]
    except OSError as error:
        raise BackupRefused(f"{path} cannot be read: {error.strerror}.") from None


def from_database(url: str, taken_at: datetime) -> Remembered:
    """What the old database knows; nothing in it is changed. Raises BackupRefused if it does not answer."""
    engine = create_engine(libpq_url(url).replace("postgresql://", DRIVER, 1), hide_parameters=True, connect_args={"connect_timeout": 10})
    try:
        with acting_as_operator(), Session(engine) as session:
            return Remembered(tuple(lines_since(session, taken_at - MARGIN)), sums_now(session))
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise BackupRefused(f"The database to replay from does not answer: {said}") from None
    finally:
        engine.dispose()


def _read(raw: bytes) -> Line | Sums | None:
    try:
        told = orjson.loads(raw)["journal"]
        at = datetime.fromisoformat(told["at"])
        if "calls" in told:
            return Sums(at, int(told["calls"]), int(told["charged_nano"]), int(told["entries_nano"]))
        return Line(**{**_plain(told), "at": at})
    except (ValueError, TypeError, KeyError):
        return None


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """The fields of a line as they were before they became text."""
    account_id = told.get("account_id")
    return {**told, "id": UUID(told["id"]), "account_id": UUID(account_id) if account_id else None}
