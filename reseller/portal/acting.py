"""How pages act: openly as the operator on behalf of the one person at the browser, with their address in audit rows.

A page is registered through `anonymous` or `personal`; there is no third way in.
"""

import functools
from collections.abc import Callable
from typing import Any

from flask import request

from reseller.database import acting_as_operator
from reseller.domain import staff
from reseller.domain.identity.sealing import Seal
from reseller.errors import Refusal
from reseller.web import error_pages
from reseller.web.client_address import client_address
from reseller.web.signed_in import ConfirmFirst, SignedIn, person, to_confirm, to_sign_in
from reseller.wiring import wiring

View = Callable[..., Any]


def address() -> str:
    """Where the request comes from."""
    return client_address(request, wiring().settings.trusted_proxies)


def seal(purpose: str) -> Seal:
    """What closes and opens texts of this deployment."""
    return Seal(wiring().settings.secret_key.get_secret_value(), purpose)


def me() -> SignedIn:
    """The person of a personal page."""
    who = person()
    assert who is not None
    return who


def anonymous(view: View) -> View:
    """A page that decides itself who may see it."""

    @functools.wraps(view)
    def run(**parts: Any) -> Any:
        with acting_as_operator(), staff.acting_from(address()):
            try:
                return view(**parts)
            except ConfirmFirst:
                return to_confirm()
            except Refusal as refusal:
                return error_pages.of_refusal(refusal)

    return run


def personal(view: View) -> View:
    """A page of whoever is signed in, about themselves; strangers are sent to sign in."""

    @functools.wraps(view)
    def run(**parts: Any) -> Any:
        return anonymous(view)(**parts) if person() is not None else to_sign_in()

    return run
