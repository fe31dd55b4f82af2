"""Somebody signs up by themselves: the person comes into being at once and gets in once they read the mailbox of their address."""

from dataclasses import replace
from uuid import UUID

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts, letters, staff
from reseller.domain.accounts import Person, Role, User, normal_email
from reseller.domain.identity import links
from reseller.domain.identity.links import Purpose
from reseller.domain.identity.sealing import Seal
from reseller.domain.letters import LetterKind
from reseller.domain.registration.newcomers import Newcomer, register
from reseller.domain.registration.trial_credit import Trial, grant_trial_credit
from reseller.errors import Conflict, NotFound


def sign_up(newcomer: Newcomer, *, browser: str, seal: Seal) -> None:
    """A letter goes to the address: with a link that verifies it, or saying that there is an account already.

    The caller cannot tell which of the two, and must not. `browser`: a secret of the browser that asks.
    """
    with transaction():
        try:
            person = register(replace(newcomer, role=Role.CUSTOMER, is_verified=False))
        except Conflict:
            letters.write(LetterKind.ALREADY_REGISTERED, normal_email(newcomer.email))
            return
        _write_link(person.user_id, person.email, browser=browser, seal=seal)


def send_again(user_id: UUID, *, browser: str, seal: Seal) -> None:
    """Another letter with a new link; older links do not work any more. For somebody who has proved their password."""
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True, populate_existing=True)
        if user is not None and user.email_verified_at is None:
            _write_link(user.id, user.email, browser=browser, seal=seal)


def verify(token: str, *, trial: Trial) -> UUID:
    """The address is verified and the person may sign in, with trial credit if there is any.

    Raises NotFound for a link that does not work.
    """
    return prove_by(token, Purpose.VERIFY, trial)


def prove_by(token: str, purpose: Purpose, trial: Trial) -> UUID:
    """The person whose link this is reads the mailbox of their address, and the link is used.

    Raises NotFound for a link that does not work, or that went to an address which is not theirs any more.
    """
    with transaction() as session:
        opened = links.use(token, purpose)
        user = session.get_one(User, opened.user_id)
        if user.email != opened.email:
            raise NotFound(links.NO_LINK)
        prove(user, trial)
    return opened.user_id


def prove(user: User, trial: Trial) -> None:
    """The person reads the mailbox of their address. Again changes nothing."""
    if user.email_verified_at is not None:
        return
    with transaction():
        user.email_verified_at = now()
        account_id = accounts.home_of(user.id)
        staff.record(staff.actor_of(user.id), "user.verify_address", "user", user.id, account_id=account_id)
        if account_id is not None:
            grant_trial_credit(Person(user.id, account_id, user.email), trial)


def _write_link(user_id: UUID, email: str, *, browser: str, seal: Seal) -> None:
    token = links.make(user_id, Purpose.VERIFY, email, browser=browser)
    lasts = links.LASTS[Purpose.VERIFY]
    letters.write(LetterKind.VERIFY_ADDRESS, email, sealed_token=seal.close(token), lasts=lasts)
