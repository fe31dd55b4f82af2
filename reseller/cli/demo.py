"""`flask demo`: a made-up business to look at. Refused in production.

The secrets of the demo are kept in `demo.json` of the instance folder, readable by its owner only, so that a
second load prints the same ones.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask.cli import AppGroup

from reseller.cli.prices import PRICE_BOOK, read_price_book
from reseller.cli.shared import actor, as_operator, emit, json_option
from reseller.domain import demo as business
from reseller.domain import webhooks
from reseller.domain.demo import PEOPLE, Login, Logins
from reseller.domain.identity.sealing import Seal
from reseller.errors import Conflict
from reseller.wiring import wiring

KEPT = "demo.json"
NO_LOGIN = {"email": "", "password": ""}  # of a file from before this person had one; nobody's, so it is made anew

demo = AppGroup("demo", help="Demo data, for development.")


@demo.command("load")
@json_option
@as_operator
def load(as_json: bool) -> None:
    """Load people, keys, prices and 90 days of usage and payments. Loading again changes nothing."""
    house = wiring()
    if house.settings.is_production:
        raise Conflict("demo data have no place in production")
    kept = Path(house.settings.instance_path) / KEPT
    known = _read(kept)
    house.upstreams.register()
    seal = Seal(house.settings.secret_keys, webhooks.SEALED_FOR)
    # The list comes before the transaction begins: none is open while an upstream is asked.
    lists = {"sandbox": house.upstreams["sandbox"].list_models()}
    loaded = business.load(lists, read_price_book(PRICE_BOOK), known=known, seal=seal, actor=actor())
    if loaded.logins != known:
        _keep(kept, loaded.logins)
    result = {**asdict(loaded.logins), "loaded": loaded.is_new}
    emit(result, as_json, _lines(result))


def _lines(result: dict[str, Any]) -> Iterator[str]:
    for name in PEOPLE:
        yield f"{name}: {result[name]['email']} {result[name]['password']}"
    yield f"api_key: {result['api_key']}"
    yield f"test_key: {result['test_key']}"
    yield f"loaded: {str(result['loaded']).lower()}"


def _read(path: Path) -> Logins | None:
    """The logins that an earlier load has kept; None if there are none, or none that can be read."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        people = {name: Login(**kept.get(name, NO_LOGIN)) for name in PEOPLE}
        return Logins(**people, api_key=str(kept["api_key"]), test_key=str(kept["test_key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, logins: Logins) -> None:
    """The file holds these logins, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(logins), file)
    draft.replace(path)
