"""Who is at the browser. Flask-Login keeps the token of a server-side session in the cookie; what it proves is in the database.

`person()` has proved all that is asked of them. Somebody with a password who still owes their second factor is
`arriving()`, and gets nowhere but to the pages that ask for it.
"""

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from flask import Flask, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response

from reseller.clock import now
from reseller.domain.accounts import Role
from reseller.domain.identity import entrance, sessions
from reseller.domain.identity.sessions import Found
from reseller.errors import NotFound

EVENTS = "text/event-stream"  # what a live figure asks for by itself, again and again
CONFIRMED_FOR = timedelta(minutes=10)
"""How long a second factor shown again opens prices, roles and large credits."""


MAX_PATH_CHARACTERS = 2_000


class SignedIn(UserMixin):  # type: ignore[misc]
    """The person of this request's session."""

    def __init__(self, token: str, found: Found) -> None:
        self._token = token
        self.session_id: UUID = found.session_id
        self.user_id: UUID = found.user_id
        self.email = found.email
        self.full_name = found.full_name
        self.role = found.role
        self.time_zone = found.time_zone
        self.version = found.version
        self.is_enrolled = found.is_enrolled
        self.has_second_factor = found.second_factor_at is not None
        self.confirmed_at = found.confirmed_at

    def get_id(self) -> str:
        """What the cookie holds: the session's token, not the person's id."""
        return self._token

    @property
    def is_staff(self) -> bool:
        return self.role != Role.CUSTOMER

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is asked: staff need a second factor, and so does whoever has one."""
        return self.has_second_factor or not (self.is_staff or self.is_enrolled)

    @property
    def is_confirmed(self) -> bool:
        """Whether they have shown within CONFIRMED_FOR what they sign in with: the second factor, or the password where there is none."""
        return self.confirmed_at is not None and self.confirmed_at > now() - CONFIRMED_FOR


class ConfirmFirst(Exception):
    """What was asked for needs the second factor again; whoever handles it sends the person to `confirm_url`."""


def person() -> SignedIn | None:
    """Whoever is signed in, completely; None for a stranger and for somebody who still owes their second factor."""
    who = _whoever()
    return who if who is not None and who.is_complete else None


def arriving() -> SignedIn | None:
    """Whoever has proved a password and still owes the second factor."""
    who = _whoever()
    return None if who is None or who.is_complete else who


def remember(token: str) -> None:
    """This browser has this session from now on; whatever its cookie held before is gone (R26). Raises NotFound if it is over."""
    found = sessions.find(token)
    session.clear()
    if found is None:
        raise NotFound("This session is over. Sign in again.")
    login_user(SignedIn(token, found))


def forget() -> None:
    """This browser is signed out and the session's row is gone."""
    who = _whoever()
    if who is not None:
        entrance.leave(who.session_id, who.user_id)
    logout_user()
    session.clear()


def to_sign_in() -> Response:
    """The way to the sign-in page and back here afterwards."""
    return redirect(url_for("sign_in.show", next=_here()))


def to_confirm() -> Response:
    """The way to the page that asks for the second factor again, and back here afterwards."""
    return redirect(url_for("sign_in.confirm", next=_here()))


def require_confirmation() -> None:
    """Raises ConfirmFirst unless the second factor was shown a short while ago."""
    who = person()
    if who is None or not who.is_confirmed:
        raise ConfirmFirst


def own_path(given: str | None, default: str) -> str:
    """A path of ours to go to next; anything that a browser could take for another place becomes the default.

    Browsers read a backslash as a slash and drop tabs and line ends before they look; outside ASCII nothing of ours begins.
    """
    is_ours = given is not None and given.startswith("/") and not given.startswith("//") and len(given) <= MAX_PATH_CHARACTERS
    if not given or not is_ours or "\\" in given or " " in given or not given.isascii() or not given.isprintable():
        return default
    return default if urlsplit(given).netloc or urlsplit(given).scheme else given


def install(app: Flask) -> None:
    """Requests know who is signed in."""
    manager = LoginManager()
    manager.session_protection = None  # sessions live on the server; a changed network must not sign people out
    manager.init_app(app)

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(token: str) -> SignedIn | None:
        is_use = EVENTS not in request.headers.get("Accept", "")
        found = sessions.find(token, is_use=is_use)
        return None if found is None else SignedIn(token, found)


def _whoever() -> SignedIn | None:
    who = current_user._get_current_object()  # noqa: SLF001 - Flask-Login's own way to the object behind the proxy
    return who if isinstance(who, SignedIn) else None


def _here() -> str:
    """Where to come back to: this page, or for a form the page it was on."""
    return request.full_path.rstrip("?") if request.method == "GET" else own_path(_path_of(request.referrer), "/")


def _path_of(address: str | None) -> str | None:
    """The path of an address of ours, whether or not we see the TLS that the browser speaks."""
    scheme, _, rest = (address or "").partition("://")
    host, slash, path = rest.partition("/")
    return f"/{path}" if scheme in ("http", "https") and slash and host == request.host else None
