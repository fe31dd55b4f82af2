"""How pages act: openly as the operator on behalf of the one person at the browser, with their address in audit rows.

A page is registered through `anonymous`, `personal` or `scoped`; there is no fourth way in.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import g, render_template, request

from reseller.database import acting_as_operator, acting_for
from reseller.domain import accounts, staff
from reseller.domain.identity.sealing import Seal
from reseller.errors import Refusal
from reseller.portal import viewing
from reseller.web import error_pages
from reseller.web.client_address import client_address
from reseller.web.signed_in import ConfirmFirst, SignedIn, person, to_confirm, to_sign_in
from reseller.wiring import wiring

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """The account that a page is about, and who looks at it: a person of it, or staff who view as a customer."""

    account_id: UUID
    user_id: UUID
    viewing_id: UUID | None = None  # of staff who view as a customer

    @property
    def actor(self) -> str:
        """As audit rows name the person."""
        return staff.actor_of(self.user_id)


def address() -> str:
    """Where the request comes from."""
    return client_address(request, wiring().settings.trusted_proxies)


def seal(purpose: str) -> Seal:
    """What closes and opens texts of this deployment."""
    return Seal(wiring().settings.secret_keys, purpose)


def me() -> SignedIn:
    """The person of a personal page."""
    who = person()
    assert who is not None
    return who


def _answer(view: View, parts: dict[str, Any]) -> Any:
    """What the page answers; what it asks for first and what it refuses are pages, too."""
    try:
        return view(**parts)
    except ConfirmFirst:
        return to_confirm()
    except Refusal as refusal:
        return error_pages.of_refusal(refusal)


def anonymous(view: View) -> View:
    """A page that decides itself who may see it."""

    @functools.wraps(view)
    def run(**parts: Any) -> Any:
        with acting_as_operator(), staff.acting_from(address()):
            return _answer(view, parts)

    return run


def personal(view: View) -> View:
    """A page of whoever is signed in, about themselves; strangers are sent to sign in."""

    @functools.wraps(view)
    def run(**parts: Any) -> Any:
        if person() is None:
            return to_sign_in()
        return viewing.not_theirs() if viewing.current() is not None else anonymous(view)(**parts)

    return run


def scoped(view: View) -> View:
    """A page of one account, for a person who is a member of it; strangers are sent to sign in.

    Everything inside sees and changes rows of that account alone (R23): an id of another one is not found. Staff who
    view as a customer are in the customer's account; `viewing` lets them look only.
    """

    @functools.wraps(view)
    def run(**parts: Any) -> Any:
        who = person()
        if who is None:
            return to_sign_in()
        seen = viewing.current()
        with acting_as_operator():
            account_id = accounts.home_of(who.user_id) if seen is None else seen.account_id
        if account_id is None:
            return render_template("portal/no_account.html"), 404
        g.scope = Scope(account_id, who.user_id, None if seen is None else seen.id)
        with acting_for(account_id, may_write=seen is None), staff.acting_from(address()):
            return _answer(view, parts)

    return run


def scope() -> Scope:
    """The scope of this request. Only inside pages made by `scoped`."""
    found = g.scope
    assert isinstance(found, Scope)
    return found
