"""Pages of one network take turns: each costs as much of the processor as dozens of calls (promise R31).

Who opens pages by hand does not notice, since pages of one process are made one after the other anyway.
"""

from threading import BoundedSemaphore

from flask import Flask, Response, g, request

from reseller.domain.identity.throttle import network_of
from reseller.errors import TooManyAtOnce
from reseller.turns import Turns
from reseller.web.client_address import client_address
from reseller.web.error_pages import of_refusal
from reseller.wiring import wiring

FREE = frozenset({"assets", "probes", "providers"})
"""Blueprints that need no turn: files and looks that cost next to nothing, and waits for somebody else's server."""


EXPORTS_AT_ONCE = 2


def install(app: Flask) -> None:
    """Every page that is not below a FREE blueprint is made in a turn, which ends when its answer begins to leave."""
    turns, exports = Turns(), Turns(EXPORTS_AT_ONCE)

    @app.before_request
    def take() -> Response | None:
        if request.blueprint in FREE:
            return None
        try:
            g.turn = turns.take(_network(), "pages")
        except TooManyAtOnce as refusal:
            return of_refusal(refusal)
        return None

    @app.after_request
    def give_back(response: Response) -> Response:
        end_turn()
        return _in_turn(response, exports) if response.mimetype == "text/csv" and response.is_streamed else response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        end_turn()


def _in_turn(response: Response, exports: Turns) -> Response:
    """A file that is written while it is sent lasts: it has a turn of its own until its end."""
    try:
        turn = exports.take(_network(), "exports")
    except TooManyAtOnce as refusal:
        response.close()
        return of_refusal(refusal)
    response.call_on_close(turn.release)
    return response


def _network() -> str:
    return network_of(client_address(request, wiring().settings.trusted_proxies))


def end_turn() -> None:
    """What this request took is there for the next."""
    turn: BoundedSemaphore | None = g.pop("turn", None)
    if turn is not None:
        turn.release()
