"""`python -m tests.volume [ACCOUNTS CALLS] [drop] [in=FOLDER]`: a shop with so much in it, and how long its pages take.

Fills a private database, opens every page of `PAGES` five times, and tells how long each took. With `drop` it then drops the
months that are not to be kept, while calls run, and tells how long that took and what the calls noticed: the database is worn then.
With `in=FOLDER` the database stays in that folder, and is filled once.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from flask_migrate import upgrade
from sqlalchemy import text

from config.postgres import Running, ensure, find_binaries, temporary
from reseller.database import acting_as_operator, transaction
from reseller.domain.usage import rollup
from tests.deployment import running_app, settings_over
from tests.servers import ROOT
from tests.volume import dropping, filler
from tests.volume.pages import ALL_PAGES, SAMPLES, visitor_of

TIMES = 5
CALLS_AN_EVENT = 20


def main(accounts: int, calls: int, *, drops: bool, kept_in: Path | None) -> None:
    with (
        _server(kept_in) as server,
        tempfile.TemporaryDirectory() as folder,
        running_app(settings_over(server.url, Path(folder))) as app,
        app.app_context(),
        acting_as_operator(),
    ):
        upgrade(directory=str(ROOT / "migrations"))
        began = time.monotonic()
        if not _is_filled():
            filler.fill(accounts=accounts, calls=calls, events=calls // CALLS_AN_EVENT)
            print(f"filled {accounts:,} accounts, {calls:,} calls in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        rollup.run()
        print(f"rollup with nothing new: {1000 * (time.monotonic() - began):.0f} ms")
        _time_pages(app)
        if drops:
            dropping.measure(app, server.url, Path(folder))


def _time_pages(app: object) -> None:
    with transaction() as session:
        samples = dict(session.execute(text(SAMPLES)).mappings().one())
    for zone in ("UTC", "Asia/Kolkata"):
        staff = visitor_of(app, "", samples)  # type: ignore[arg-type]
        own = visitor_of(app, "own overview", samples)  # type: ignore[arg-type]
        with transaction() as session:
            session.execute(
                text("UPDATE users SET time_zone = :zone WHERE role = 'admin' OR id = :owner"), {"zone": zone, "owner": samples["owner"]}
            )
        print(f"\n{zone:<32}   best   worst ms")
        for what, address in ALL_PAGES:
            _time(own if what.startswith("own ") else staff, what, address.format(**samples))


def _time(client: object, what: str, address: str) -> None:
    taken = []
    for _ in range(TIMES):
        began = time.monotonic()
        answer = client.get(address)  # type: ignore[attr-defined]
        taken.append(1000 * (time.monotonic() - began))
    print(f"{what:<30} {answer.status_code} {min(taken):6.0f} {max(taken):6.0f}", flush=True)


@contextlib.contextmanager
def _server(kept_in: Path | None) -> Iterator[Running]:
    if kept_in is None:
        with temporary(find_binaries()[0]) as server:
            yield server
        return
    server = ensure(kept_in)
    try:
        yield server
    finally:
        server.stop()


def _is_filled() -> bool:
    with transaction() as session:
        return bool(session.scalar(text("SELECT EXISTS (SELECT FROM usage_logs)")))


if __name__ == "__main__":
    words = sys.argv[1:]
    folders = [Path(word.removeprefix("in=")) for word in words if word.startswith("in=")]
    given = [int(word) for word in words if word.isdigit()] or [10_000, 1_000_000]
    main(*given, drops="drop" in words, kept_in=folders[0] if folders else None)
