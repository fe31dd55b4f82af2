"""The way to a provider: to sign in, to link it, or to show again that it is you."""

from uuid import UUID

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from reseller.clients.providers import Down
from reseller.domain.identity import linked, passwords
from reseller.portal import acting
from reseller.portal.providers import journeys, trouble
from reseller.portal.providers.journeys import MAX_ONWARDS_CHARACTERS, Purpose, Underway
from reseller.portal.providers.offered import Choice, chosen
from reseller.portal.sign_in.onwards import onwards, wanted
from reseller.web import signed_in
from reseller.web.signed_in import SignedIn, own_path
from reseller.wiring import wiring


def enter(provider: str) -> Response:
    """A stranger's browser is on its way to the provider; everybody else goes on."""
    choice = chosen(provider)
    if signed_in.person() is not None or signed_in.arriving() is not None:
        return onwards()
    try:
        return redirect(_set_out(choice, Purpose.ENTER, wanted("")))
    except Down:
        return trouble.down(choice)


def link(provider: str) -> Response | str:
    """The person's browser is on its way to a provider that shall be linked."""
    choice = chosen(provider)
    signed_in.require_confirmation()
    return _sent_on(choice, Purpose.LINK, own_path(request.form.get("next"), url_for("settings.show")))


def confirm(provider: str) -> Response | str:
    """The person's browser is on its way to a provider that has vouched for them before, which shall ask them again."""
    choice = chosen(provider)
    if has_better(acting.me()):
        return to_confirm_otherwise(wanted(""))
    mine = {identity.issuer.rstrip("/") for identity in linked.identities_of(acting.me().user_id)}
    if choice.provider.issuer not in mine:
        return trouble.of_others(choice)
    return _sent_on(choice, Purpose.CONFIRM, wanted(""))


def has_better(me: SignedIn) -> bool:
    """Whether the person has something to show of which the browser may know nothing; who stays signed in at a provider shows little."""
    return me.is_enrolled or passwords.has_one(me.user_id)


def to_confirm_otherwise(path: str) -> Response:
    """The way to the page that asks for a code or a password."""
    return redirect(url_for("sign_in.confirm", next=path or None))


def redirect_uri(choice: Choice) -> str:
    """Where the provider sends the browser back to, as it is registered there. Never what the request calls this host."""
    return f"{wiring().settings.base_url}{url_for('providers.callback', provider=choice.name)}"


def _sent_on(choice: Choice, purpose: Purpose, onwards_to: str) -> Response | str:
    """A page that leads on by itself: forms of ours are sent to us alone, and browsers hold redirects after them to that."""
    try:
        url = _set_out(choice, purpose, onwards_to, acting.me().session_id)
    except Down:
        return trouble.down(choice)
    return render_template("portal/to_provider.html", choice=choice, url=url)


def _set_out(choice: Choice, purpose: Purpose, onwards_to: str, session_id: UUID | None = None) -> str:
    url, journey = choice.provider.begin(redirect_uri(choice), again=purpose == Purpose.CONFIRM)
    kept = onwards_to if len(onwards_to) <= MAX_ONWARDS_CHARACTERS else ""
    journeys.keep(Underway(choice.name, purpose, journey, kept, session_id))
    return url
