"""What went wrong on the way through a provider, each in plain words and with the way back."""

from flask import make_response, render_template
from werkzeug.wrappers import Response

from reseller.portal.providers.offered import Choice


def down(choice: Choice) -> Response:
    """The provider cannot be reached."""
    return _page(
        choice,
        502,
        f"{choice.label} does not answer",
        f"We could not reach {choice.label} just now. That is between our servers and theirs; nothing of yours was changed."
        " Try again in a minute, or sign in another way.",
    )


def denied(choice: Choice) -> Response:
    """The person, or the provider, said no."""
    return _page(
        choice, 403, "You were not signed in", f"{choice.label} sent you back without letting us know who you are. Nothing was changed."
    )


def lost(choice: Choice) -> Response:
    """The browser came back from a journey that it is not on: an old page, another browser, somebody else's address."""
    return _page(
        choice,
        400,
        "This sign-in is over",
        "It was finished already, took longer than a quarter of an hour, or was begun in another browser. Nothing was changed."
        " Begin again here.",
    )


def not_vouched(choice: Choice) -> Response:
    """What the provider sent proves nothing."""
    return _page(
        choice,
        403,
        "You were not signed in",
        f"{choice.label} did not confirm who you are: its answer did not fit the question. Nothing was changed. Begin again;"
        " if it happens once more, sign in another way and tell us.",
    )


def not_asked(choice: Choice) -> Response:
    """The provider knew the browser and let it pass, which anybody who sits there could have had."""
    return _page(
        choice,
        403,
        f"{choice.label} did not ask you again",
        f"{choice.label} knew this browser and sent you back without asking who you are. Nothing was changed. Sign out there and try"
        " again, or confirm with your password: if you have none yet, “Forgotten your password?” on the sign-in page sends you a link"
        " to a first one.",
    )


def not_verified(choice: Choice) -> Response:
    """The provider does not say that the address is theirs. Says nothing of whether somebody here has it."""
    return _page(
        choice,
        403,
        "Your e-mail address is not confirmed",
        f"{choice.label} does not vouch for an e-mail address of yours, and without one there is no account here. Confirm your address"
        f" at {choice.label} and come back. If you have an account here, sign in with your password first, then link {choice.label}"
        " under your settings.",
    )


def taken(choice: Choice, email: str) -> Response:
    """Somebody here has the address already; that the provider knows it, too, opens nothing of theirs."""
    return _page(
        choice,
        409,
        "You have an account here already",
        f"{email} belongs to an account that does not sign in through this {choice.label} login. Sign in with your password first, then"
        f" link {choice.label} under your settings: it will open your account from then on. Forgotten it? The sign-in page helps.",
    )


def of_others(choice: Choice) -> Response:
    """The identity is another one than it has to be."""
    return _page(
        choice,
        403,
        "That is another login",
        f"The {choice.label} login that you came back with is not one that opens your account. Nothing was changed. Go back, and choose"
        " the one that you sign in with here.",
    )


def someone_else(choice: Choice) -> Response:
    """Who is signed in now is not who set out."""
    return _page(
        choice,
        409,
        "You were signed out meanwhile",
        f"While you were at {choice.label}, the session that you began in ended. Nothing was linked or changed. Sign in and begin again.",
    )


def _page(choice: Choice, status: int, title: str, message: str) -> Response:
    return make_response(render_template("portal/provider_trouble.html", choice=choice, title=title, message=message), status)
