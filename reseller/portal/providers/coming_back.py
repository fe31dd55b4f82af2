"""The way back from a provider: signed in, signed up, linked, or shown again. What it vouched for decides, never its e-mail address."""

from uuid import UUID

from flask import flash, request
from werkzeug.wrappers import Response

from reseller.clients.providers import Down, NotAsked, NotVouched, Proof
from reseller.domain import registration, staff
from reseller.domain.accounts import MAX_NAME_CHARACTERS
from reseller.domain.identity import entrance, linked, sessions, throttle
from reseller.domain.identity.linked import Vouched
from reseller.domain.registration import Newcomer, Trial
from reseller.errors import Conflict, InvalidRequest
from reseller.portal import acting, known_browsers
from reseller.portal.providers import journeys, trouble
from reseller.portal.providers.journeys import Purpose, Underway
from reseller.portal.providers.offered import Choice, chosen
from reseller.portal.providers.setting_out import has_better, redirect_uri, to_confirm_otherwise
from reseller.portal.sign_in.onwards import onwards
from reseller.web import signed_in
from reseller.web.signed_in import SignedIn
from reseller.wiring import wiring

MAX_PARAMETER_CHARACTERS = 4_000


def come_back(provider: str) -> Response:
    """Whoever came back is where they set out for, or on a page that says why not."""
    choice = chosen(provider)
    underway = journeys.end(provider, request.args.get("state", ""))
    if underway is None:
        return trouble.lost(choice)
    code, issuer = request.args.get("code", ""), request.args.get("iss")
    if "error" in request.args or not code or len(code) > MAX_PARAMETER_CHARACTERS:
        return trouble.denied(choice)
    if issuer is not None and issuer.rstrip("/") != choice.provider.issuer:  # RFC 9207: another provider's answer
        return trouble.lost(choice)
    brakes = throttle.provider_brakes(acting.address())
    throttle.attempt(brakes)
    try:
        proof = choice.provider.finish(underway.journey, code, redirect_uri(choice), again=underway.purpose == Purpose.CONFIRM)
    except Down:
        throttle.succeed(brakes)  # none of theirs
        return trouble.down(choice)
    except NotAsked:
        throttle.succeed(brakes)  # it knows them; they alone can have it ask
        return trouble.not_asked(choice)
    except NotVouched:
        return trouble.not_vouched(choice)
    throttle.succeed(brakes)
    return _ENDINGS[underway.purpose](choice, underway, proof)


def _entered(choice: Choice, underway: Underway, proof: Proof) -> Response:
    """Somebody whom we know, or who is new, has a session; the second factor is asked for as after a password."""
    user_id = linked.find(_vouched(proof))
    if user_id is None:
        if not proof.email or not proof.is_email_verified:
            return trouble.not_verified(choice)
        try:
            user_id = _registered(proof)
        except InvalidRequest:  # an address that letters cannot be sent to
            return trouble.not_verified(choice)
        except Conflict:
            user_id = linked.find(_vouched(proof))  # in another tab, at the same instant
    if user_id is None:
        return trouble.taken(choice, proof.email)
    signed_in.forget()  # whoever was here before
    token = entrance.enter(user_id, address=acting.address(), user_agent=request.user_agent.string, provider=choice.label)
    signed_in.remember(token)
    who = signed_in.person()
    return onwards(underway.onwards) if who is None else known_browsers.remember(onwards(underway.onwards), who.email)


def _registered(proof: Proof) -> UUID:
    newcomer = Newcomer(proof.email, full_name=proof.name[:MAX_NAME_CHARACTERS], is_verified=True)
    trial = Trial(wiring().settings.trial_credit_usd, acting.address())
    return registration.register_through(newcomer, _vouched(proof), trial).user_id


def _linked(choice: Choice, underway: Underway, proof: Proof) -> Response:
    """The person who set out, and is still here, signs in through this identity from now on."""
    me = _who_set_out(underway)
    if me is None:
        return trouble.someone_else(choice)
    try:
        linked.link(me.user_id, _vouched(proof), actor=staff.actor_of(me.user_id))
    except Conflict as refusal:
        flash(refusal.message, "conflict")
        return onwards(underway.onwards)
    signed_in.remember(sessions.renew(me.session_id))
    flash(f"You can sign in with {choice.label} from now on.", "success")
    return onwards(underway.onwards)


def _confirmed(choice: Choice, underway: Underway, proof: Proof) -> Response:
    """The session of the person who set out has shown again what it was opened with."""
    me = _who_set_out(underway)
    if me is None:
        return trouble.someone_else(choice)
    if has_better(me):
        return to_confirm_otherwise(underway.onwards)
    if linked.find(_vouched(proof)) != me.user_id:
        return trouble.of_others(choice)
    signed_in.remember(entrance.confirm(me.session_id, me.user_id, by=choice.label))
    return onwards(underway.onwards)


_ENDINGS = {Purpose.ENTER: _entered, Purpose.LINK: _linked, Purpose.CONFIRM: _confirmed}


def _who_set_out(underway: Underway) -> SignedIn | None:
    """Whoever is signed in, if it is still the session in which the journey began."""
    me = signed_in.person()
    return me if me is not None and me.session_id == underway.session_id else None


def _vouched(proof: Proof) -> Vouched:
    return Vouched(proof.issuer, proof.subject, proof.email or proof.name)
