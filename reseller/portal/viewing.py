"""What staff may do in the portal while they view it as a customer: look, at pages about the account, and nothing else.

One hook before every page of the portal, whichever way it was made: what is refused here reaches no page.
"""

from flask import flash, g, redirect, request, url_for
from werkzeug.wrappers import Response

from reseller.database import acting_as_operator
from reseller.domain import staff
from reseller.domain.identity import viewings
from reseller.domain.identity.viewings import Look
from reseller.web import error_pages
from reseller.web.client_address import client_address
from reseller.web.signed_in import EVENTS, person
from reseller.wiring import wiring

LOOKS = frozenset({"GET", "HEAD"})
OWN_STEPS = frozenset({"sign_in.leave", "sign_in.check_again", "view_as.end"})
"""What somebody of staff does as themselves: the way out, and showing their second factor again for the back office."""


def current() -> Look | None:
    """What the staff session of this request views; None for a customer, a stranger, and staff who view nobody."""
    found = _found()
    return None if found is None or found.is_over else found


def only_look() -> Response | None:
    """Before every page of the portal: whoever views as a customer changes nothing.

    A form of the customer's page that is sent when the time is over must not act on the viewer's own account either.
    """
    found = _found()
    if found is None or request.endpoint in OWN_STEPS:
        return None
    if found.is_over:
        return _over(found)
    if request.method in LOOKS:
        return None
    return error_pages.page(403, "You view as a customer, which is looking only. Nothing was changed. End the viewing to act yourself.")


def not_theirs() -> Response:
    """Instead of a page about a person: neither the customer's nor, by mistake, the viewer's own."""
    return error_pages.page(403, "This page is about a person, not about the account, and is not shown while you view as a customer.")


def _over(found: Look) -> Response:
    who = person()
    if who is None or EVENTS in request.headers.get("Accept", ""):
        return Response(status=204)  # a live figure is not to come back, and not to take the word from the page
    with acting_as_operator(), staff.acting_from(client_address(request, wiring().settings.trusted_proxies)):
        viewings.end(who.session_id, who.user_id)
    g.viewing = None
    flash("The time of the viewing is over. Nothing was changed.", "info")
    return redirect(url_for("customers.show", account_id=found.account_id))


def _found() -> Look | None:
    if "viewing" not in g:
        g.viewing = _look_up()
    found = g.viewing
    assert found is None or isinstance(found, Look)
    return found


def _look_up() -> Look | None:
    who = person()
    if who is None or not who.is_staff:
        return None
    with acting_as_operator():
        return viewings.of(who.session_id)
