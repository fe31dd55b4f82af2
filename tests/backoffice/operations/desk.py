"""What tests of the operations' pages share: pages and files as text, jobs that have run, the audit log's rows."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import event

from reseller.clock import new_id
from reseller.database import db
from reseller.domain import jobs
from tests.domain import scenes


def page(client: FlaskClient, address: str) -> str:
    """The page's HTML."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def exported(client: FlaskClient, view: str, filters: str = "") -> list[dict[str, str]]:
    """The rows of a list's CSV by their headings."""
    return list(csv.DictReader(io.StringIO(page(client, f"/admin/{view}/export/csv/?{filters}"))))


def job_ran(name: str, *, result: str = "fine", error: str | None = None) -> None:
    """A worker has run it once, with this outcome."""
    worker = new_id()
    jobs.lease(name, 60, worker)
    jobs.finish(name, worker, result=None if error else result, error=error)


def audited(action: str) -> list[dict[str, Any]]:
    """Every audit row of this action."""
    return scenes.rows("SELECT * FROM staff_actions WHERE action = :action ORDER BY id", action=action)


def confirmations_are_old() -> None:
    """Everybody showed their second factor too long ago for what asks for it again."""
    scenes.execute("UPDATE sessions SET confirmed_at = now() - interval '11 minutes'")


@contextmanager
def queries() -> Iterator[list[str]]:
    """The statements that were sent inside, over any connection of the app."""
    sent: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
