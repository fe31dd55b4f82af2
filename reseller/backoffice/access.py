"""Who may do what in the back office: deny by default. A view names the roles of each of its pages; one it does not name is nobody's."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar, cast

from flask import abort, request
from flask_admin import BaseView, expose
from werkzeug.wrappers import Response

from reseller.database import acting_as_operator
from reseller.domain import staff
from reseller.domain.accounts import Role
from reseller.errors import Refusal
from reseller.web import error_pages
from reseller.web.client_address import client_address
from reseller.web.signed_in import ConfirmFirst, SignedIn, person, to_confirm, to_sign_in
from reseller.wiring import wiring

Roles = frozenset[Role]

STAFF: Roles = frozenset({Role.SUPPORT, Role.FINANCE, Role.ADMIN})
MONEY: Roles = frozenset({Role.FINANCE, Role.ADMIN})
ADMINS: Roles = frozenset({Role.ADMIN})


View = TypeVar("View", bound=Callable[..., Any])


def exposed(url: str = "/", methods: Iterable[str] = ("GET",)) -> Callable[[View], View]:
    """Flask-Admin's `expose`, with types: the method is a page of its view at this address below it."""
    return cast("Callable[[View], View]", expose(url, tuple(methods)))


def edits(roles: Roles) -> dict[str, Roles]:
    """New rows, changed rows, deleted rows."""
    return dict.fromkeys(("create_view", "edit_view", "delete_view"), roles)


def pages(roles: Roles, *names: str) -> dict[str, Roles]:
    """These pages of a view, by the names of their methods."""
    return dict.fromkeys(names, roles)


def me() -> SignedIn:
    """The member of staff who acts. Only inside pages that `Guarded` let through."""
    who = person()
    assert who is not None
    return who


def actor() -> str:
    """The same, as audit rows name them."""
    return staff.actor_of(me().user_id)


class Guarded:
    """Mixed into every view, before Flask-Admin's own class.

    A page opens for a person of staff with a second factor whose role `access` names for it; prices, roles and the like
    (`confirmed`) also ask for the second factor again. Inside, transactions act as the operator and audit rows know the
    address. A refusal of the domain becomes a page.
    """

    access: ClassVar[Mapping[str, Roles]] = {}
    confirmed: ClassVar[frozenset[str]] = frozenset()

    def may(self, name: str) -> bool:
        """Whether the person at the browser may open this page of the view."""
        who = person()
        return who is not None and who.has_second_factor and who.role in self.access.get(name, frozenset())

    def opens_now(self, name: str) -> bool:
        """Whether this page would open without a look at the second factor first."""
        who = person()
        return self.may(name) and who is not None and (who.is_confirmed or name not in self.confirmed)

    def is_accessible(self) -> bool:
        """Whether the menu shows the view: its first page opens."""
        return self.may(self._default_view)  # type: ignore[attr-defined]

    def to_confirm(self, name: str, **given: Any) -> Response:  # noqa: ARG002 - for views that know a better place
        """The way to the second factor, and back to where this page was asked for."""
        return to_confirm()

    def _handle_view(self, name: str, **given: Any) -> Response | None:
        who = person()
        if who is None or not who.is_staff or not who.has_second_factor:
            if who is None or who.is_staff:
                return to_sign_in()
            return error_pages.page(403, "This page is for staff, and you are signed in as a customer.")
        if not self.may(name):
            abort(403)
        if name in self.confirmed and not who.is_confirmed:
            return self.to_confirm(name, **given)
        return None

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Flask-Admin's own would call the page a second time after any TypeError."""
        address = client_address(request, wiring().settings.trusted_proxies)
        with acting_as_operator(), staff.acting_from(address):
            try:
                return fn(self, *args, **kwargs)
            except ConfirmFirst:
                return to_confirm()
            except Refusal as refusal:
                return error_pages.of_refusal(refusal)


class Page(Guarded, BaseView):  # type: ignore[misc]
    """A view with pages of its own making."""
