"""`make screenshots`: the main pages of a demo shop as small pictures beside this file, taken anew.

The shop is private and gone afterwards: its own PostgreSQL, the demo data, one run of the clock, a web server.
WebP, because a page of text is a third of its PNG, and browsers and forges show both.
"""

import base64
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page
from sqlalchemy import text

from config.postgres import temporary
from reseller.database import acting_as_operator, transaction
from tests import chromium
from tests.browser import PHONE, WIDE, Scheme, Windows, open_browser
from tests.deployment import running_app, settings_over
from tests.servers import WebServer, environment, run_flask
from tests.staff import cookie_of

FOLDER = Path(__file__).resolve().parent
QUALITY = 82
MAX_BYTES = 150_000

Find = Callable[[str], str]  # SQL of one value → the value


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its name, where it is taken, and how."""

    name: str
    address: str
    size: tuple[int, int] = WIDE
    scheme: Scheme = "light"
    id_query: str | None = None  # fills {} of the address
    is_customers: bool = False  # as the customer sees it, not as an admin


CUSTOMER = "SELECT account_id FROM usage_logs GROUP BY account_id ORDER BY sum(charge_nano) DESC LIMIT 1"
CALL = """SELECT 'req_' || replace(id::text, '-', '') FROM usage_logs
           WHERE status = 'completed' AND charge_nano > 0 AND cached_tokens > 0 AND NOT is_test ORDER BY created_at DESC LIMIT 1"""
ADMIN = "SELECT id FROM users WHERE role = 'admin' ORDER BY id LIMIT 1"
OWNER = f"SELECT user_id FROM memberships WHERE account_id = ({CUSTOMER}) ORDER BY user_id LIMIT 1"
OWN_CALL = CALL.replace("WHERE", f"WHERE account_id = ({CUSTOMER}) AND")
MODEL = "SELECT model FROM usage_logs WHERE status = 'completed' AND NOT is_test GROUP BY model ORDER BY sum(charge_nano) DESC LIMIT 1"

SHOTS = (
    Shot("dashboard", "/admin/"),
    Shot("business", "/admin/business/"),
    Shot("customer", "/admin/customers/{}/", id_query=CUSTOMER),
    Shot("customer-phone", "/admin/customers/{}/", PHONE, id_query=CUSTOMER),
    Shot("call", "/admin/calls/{}/", id_query=CALL),
    Shot("pricing", "/admin/prices/test/?model={}", id_query=MODEL),
    Shot("ledger", "/admin/ledger/", scheme="dark"),
    Shot("overview", "/overview", is_customers=True),
    Shot("usage", "/usage?group=model", is_customers=True),
    Shot("receipt-phone", "/usage/calls/{}", PHONE, id_query=OWN_CALL, is_customers=True),
    Shot("billing-phone", "/billing", PHONE, "dark", is_customers=True),
)


def main() -> int:
    try:
        chromium.ensure()
    except chromium.NoChromium as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, temporary() as running:
        instance = Path(folder)
        env = environment(running.url, instance, BRAND_NAME="Reseller")
        for words in (("db", "upgrade"), ("demo", "load"), ("worker", "--once")):
            done = run_flask(*words, env=env, seconds=300)
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                return 1
        with WebServer(env=env, log=instance / "web.log") as web, open_browser() as browser:
            windows = Windows(browser, web.origin)
            with running_app(settings_over(running.url, instance)) as app, app.app_context(), acting_as_operator():
                for shot in SHOTS:
                    name, value = cookie_of(app, one(OWNER if shot.is_customers else ADMIN))
                    address = shot.address.format(one(shot.id_query)) if shot.id_query else shot.address
                    page = windows.open(size=shot.size, scheme=shot.scheme, cookies={name: value})
                    page.goto(address)
                    keep(page, shot)
            windows.close()
    complaints = windows.complaints.unexpected
    print("\n".join(complaints), file=sys.stderr)
    return 1 if complaints else 0


def one(query: str) -> str:
    """The value that the query finds."""
    with transaction() as session:
        return session.execute(text(query)).scalar_one()


def keep(page: Page, shot: Shot) -> None:
    """The picture is in its file. Raises ValueError if it is too large for a README."""
    page.wait_for_function("() => !document.body.innerText.includes('connecting …')")  # the live tile has its first figures
    page.wait_for_load_state("load")
    page.evaluate("() => document.fonts.ready")
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    picture = base64.b64decode(taken["data"])
    if len(picture) > MAX_BYTES:
        raise ValueError(f"{shot.name} has {len(picture)} bytes, more than {MAX_BYTES}")
    (FOLDER / f"{shot.name}.webp").write_bytes(picture)
    print(f"{shot.name}.webp {len(picture) / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
