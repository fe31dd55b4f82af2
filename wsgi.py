"""Where every process of ours begins: patch first, then make the app. `flask` and gunicorn both come here."""

from gevent import monkey

monkey.patch_all()  # before psycopg, ssl and requests are imported: they decide at import how they wait

import gc  # noqa: E402
import sys  # noqa: E402

gc.disable()  # what imports make stays to the end: looking through it again and again is a tenth of a start

import psycopg.waiting  # noqa: E402

from config import SettingsRefused  # noqa: E402
from config.postgres import PostgresFailed  # noqa: E402
from reseller import create_app  # noqa: E402

if psycopg.waiting.wait.__name__ == "wait_c":
    sys.exit("psycopg was imported before gevent patched: every query would stop the whole process")

try:
    app = create_app()
except SettingsRefused as refused:
    for problem in refused.problems:
        print(f"refusing to start: {problem}", file=sys.stderr)  # noqa: T201
    sys.exit(1)
except PostgresFailed as failed:
    print(f"refusing to start: {failed}", file=sys.stderr)  # noqa: T201
    sys.exit(1)

gc.enable()
