"""What one running process holds besides the app: the till, the price book, the keys it knows, the upstreams.

Made once by `create_app`, read by every door. Nothing here decides anything.
"""

from dataclasses import dataclass
from uuid import UUID

from flask import Flask, current_app

from config import Settings
from reseller.cashier import Cashier
from reseller.domain.calls import Till
from reseller.domain.keys import Directory
from reseller.domain.pricing import Book
from reseller.reader import Reader
from reseller.telemetry import Telemetry
from reseller.upstreams import Upstreams


@dataclass(frozen=True, slots=True)
class Wiring:
    settings: Settings
    process_id: UUID  # the heartbeat row that holds of this process name
    till: Till
    book: Book
    directory: Directory
    upstreams: Upstreams  # by the name of their row
    cashier: Cashier
    reader: Reader
    telemetry: Telemetry


def attach(app: Flask, wiring: Wiring) -> None:
    """The app can be asked for its wiring."""
    app.extensions["reseller"] = wiring


def wiring_of(app: Flask) -> Wiring:
    wiring = app.extensions["reseller"]
    assert isinstance(wiring, Wiring)
    return wiring


def wiring() -> Wiring:
    """The wiring of the app whose context this is."""
    return wiring_of(current_app)
