"""A person's e-mail address changes once they have shown that they read the mailbox of the new one. The old one is told."""

from uuid import UUID

from sqlalchemy import select

from reseller.clock import now
from reseller.database import lock_name, transaction
from reseller.domain import accounts, letters, staff
from reseller.domain.accounts import User, normal_email
from reseller.domain.identity import links
from reseller.domain.identity.links import Purpose
from reseller.domain.identity.sealing import Seal
from reseller.domain.letters import LetterKind
from reseller.domain.registration.forgetting import forget
from reseller.errors import Conflict, InvalidRequest, NotFound

TAKEN = "That address cannot be used any more. Ask for the change again, with another one."


def ask(user_id: UUID, new_email: str, *, seal: Seal) -> str:
    """Letters go to the new address, with a link, and to the present one; the new address as we write it. Nothing has changed yet.

    Whether the new address is somebody's is told to its mailbox alone.
    Raises InvalidRequest for what is no address, or is theirs already; NotFound for nobody.
    """
    address = normal_email(new_email)
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True, populate_existing=True)
        if user is None:
            raise NotFound("There is no such person.")
        if user.email == address:
            raise InvalidRequest("That is your address already.", param="email")
        if _owner_of(address) is None:
            token = links.make(user.id, Purpose.CHANGE_ADDRESS, address)
            lasts = links.LASTS[Purpose.CHANGE_ADDRESS]
            facts = {"old_email": user.email}
            letters.write(LetterKind.CONFIRM_NEW_ADDRESS, address, facts=facts, sealed_token=seal.close(token), lasts=lasts)
        else:
            links.void(user.id, Purpose.CHANGE_ADDRESS)
            letters.write(LetterKind.ADDRESS_TAKEN, address)
        facts = {"new_email": address, "address": staff.acting_address()}
        letters.write(LetterKind.ADDRESS_CHANGE_ASKED, user.email, facts=facts)
        accounts.record(staff.actor_of(user.id), "user.ask_for_address", user.id)
    return address


def finish(token: str) -> str:
    """The person signs in with the new address from now on, which is returned; links sent to the old one are void.

    Raises NotFound for a link that does not work, Conflict if the address became somebody's meanwhile.
    """
    with transaction() as session:
        opened = links.use(token, Purpose.CHANGE_ADDRESS)
        lock_name(f"address:{opened.email}")
        user = session.get_one(User, opened.user_id)
        if _owner_of(opened.email) is not None:
            raise Conflict(TAKEN)
        _make_room(opened.email)
        old = user.email
        user.claim(None)
        user.email, user.email_verified_at = opened.email, now()
        links.void(user.id)
        letters.write(LetterKind.ADDRESS_CHANGED, old, facts={"new_email": opened.email})
        accounts.record(staff.actor_of(user.id), "user.change_address", user.id, changes={"email": [old, opened.email]})
        accounts.tell_of_member(user.id, "address")
    return opened.email


def _owner_of(email: str) -> UUID | None:
    """Who has verified this address."""
    with transaction() as session:
        return session.scalar(select(User.id).where(User.email == email, User.email_verified_at.is_not(None)))


def _make_room(email: str) -> None:
    """Whoever registered the address without verifying it gives way to somebody who has. Raises Conflict if staff gave them something."""
    with transaction() as session:
        squatter = session.scalar(select(User.id).where(User.email == email))
        if squatter is not None and not forget(squatter):
            raise Conflict(TAKEN)
        session.flush()
