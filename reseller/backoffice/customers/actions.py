"""What staff do to an account with one click and a reason."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, request, url_for

from reseller.backoffice.access import Page, actor, exposed, me
from reseller.database import transaction
from reseller.domain import accounts, keys, notes
from reseller.domain.accounts import Account
from reseller.domain.identity import viewings
from reseller.domain.identity.sealing import Seal
from reseller.domain.identity.sessions import STAFF_LASTS
from reseller.domain.letters import SEALED_FOR
from reseller.domain.registration import resets
from reseller.errors import InvalidRequest, NotFound
from reseller.web import nonces
from reseller.wiring import wiring

MAX_REASON_CHARACTERS = 500


def reason_given() -> str:
    """The reason in the form. Raises InvalidRequest without one."""
    reason = request.form.get("reason", "").strip()
    if not reason or len(reason) > MAX_REASON_CHARACTERS or "\x00" in reason:
        raise InvalidRequest(f"Say why, in at most {MAX_REASON_CHARACTERS} characters. Nothing was changed.")
    return reason


def nonce_given() -> UUID:
    """The id that the form brought along. Raises InvalidRequest for none, or an old one."""
    return nonces.nonce_given(STAFF_LASTS)


def must_exist(account_id: UUID) -> str:
    """The account's name. Raises NotFound for the id of no account."""
    with transaction() as session:
        account = session.get(Account, account_id)
        if account is None:
            raise NotFound("There is no such customer.")
        return account.name


class Actions(Page):
    def done(self, account_id: UUID, words: str, *, anchor: str | None = None) -> Any:
        """Back to the customer's page, with a word about what happened."""
        flash(words, "success")
        return redirect(self.get_url(".show", account_id=account_id, _anchor=anchor))

    @exposed("/<uuid:account_id>/note/", methods=("POST",))
    def note(self, account_id: UUID) -> Any:
        must_exist(account_id)
        notes.add(nonce_given(), account_id, request.form.get("body", ""), actor=actor())
        return self.done(account_id, "The note is written down.", anchor="notes")

    @exposed("/<uuid:account_id>/suspend/", methods=("POST",))
    def suspend(self, account_id: UUID) -> Any:
        must_exist(account_id)
        accounts.suspend(account_id, reason=reason_given(), actor=actor())
        return self.done(account_id, "Suspended. The account's keys are refused from now on.")

    @exposed("/<uuid:account_id>/restore/", methods=("POST",))
    def restore(self, account_id: UUID) -> Any:
        must_exist(account_id)
        accounts.restore(account_id, reason=reason_given(), actor=actor())
        return self.done(account_id, "Restored. The account's keys work again.")

    @exposed("/<uuid:account_id>/resume/", methods=("POST",))
    def resume(self, account_id: UUID) -> Any:
        must_exist(account_id)
        accounts.resume(account_id, reason=reason_given(), actor=actor())
        return self.done(account_id, "Resumed. The account may make calls again.")

    @exposed("/<uuid:account_id>/keys/<uuid:key_id>/revoke/", methods=("POST",))
    def revoke_key(self, account_id: UUID, key_id: UUID) -> Any:
        key = keys.revoke(str(key_id), actor=actor(), account_id=account_id, reason=reason_given())
        return self.done(account_id, f"Revoked. {keys.shown_prefix(key.key_prefix)} is refused from now on.", anchor="keys")

    @exposed("/<uuid:account_id>/view-as/", methods=("POST",))
    def view_as(self, account_id: UUID) -> Any:
        who = me()
        viewings.begin(who.session_id, who.user_id, account_id, reason=reason_given())
        return redirect(url_for("overview.show"))

    @exposed("/<uuid:account_id>/reset-link/", methods=("POST",))
    def send_reset_link(self, account_id: UUID) -> Any:
        must_exist(account_id)
        user_id = person_given()
        if not accounts.is_member(user_id, account_id):
            raise NotFound("There is no such person in this account.")
        email = resets.send(user_id, actor=actor(), reason=reason_given(), seal=letter_seal())
        return self.done(account_id, f"A letter with a link to a new password is on its way to {email}. It works for an hour.")


def person_given() -> UUID:
    """The person in the form. Raises InvalidRequest for none."""
    try:
        return UUID(request.form.get("person", ""))
    except ValueError:
        raise InvalidRequest("The form is not complete. Open the page again; nothing was changed.") from None


def letter_seal() -> Seal:
    """What closes the token of a link until its letter is written. Staff never see the link."""
    return Seal(wiring().settings.secret_keys, SEALED_FOR)
