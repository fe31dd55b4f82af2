"""`python -m tests.volume [ACCOUNTS CALLS]`: fill a private database, open every page of `PAGES` five times, tell how long it took."""

import sys
import tempfile
import time
from pathlib import Path

from flask_migrate import upgrade
from sqlalchemy import text

from config.postgres import find_binaries, temporary
from reseller.database import acting_as_operator, transaction
from reseller.domain.usage import rollup
from tests.deployment import running_app, settings_over
from tests.servers import ROOT
from tests.volume import filler
from tests.volume.pages import ALL_PAGES, SAMPLES, visitor_of

TIMES = 5


def main(accounts: int, calls: int) -> None:
    with (
        temporary(find_binaries()[0]) as server,
        tempfile.TemporaryDirectory() as folder,
        running_app(settings_over(server.url, Path(folder))) as app,
        app.app_context(),
        acting_as_operator(),
    ):
        upgrade(directory=str(ROOT / "migrations"))
        began = time.monotonic()
        filler.fill(accounts=accounts, calls=calls)
        print(f"filled {accounts:,} accounts, {calls:,} calls in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        rollup.run()
        print(f"rollup with nothing new: {1000 * (time.monotonic() - began):.0f} ms")
        with transaction() as session:
            samples = dict(session.execute(text(SAMPLES)).mappings().one())
        for zone in ("UTC", "Asia/Kolkata"):
            staff = visitor_of(app, "", samples)
            own = visitor_of(app, "own overview", samples)
            with transaction() as session:
                session.execute(
                    text("UPDATE users SET time_zone = :zone WHERE role = 'admin' OR id = :owner"),
                    {"zone": zone, "owner": samples["owner"]},
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
    print(f"{what:<30} {answer.status_code} {min(taken):6.0f} {max(taken):6.0f}")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]] or [10_000, 1_000_000]
    main(*given)
