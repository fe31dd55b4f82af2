"""A new password by a link in a letter, for people who lost theirs or never had one. The second factor is asked for all the same."""

from uuid import UUID

from sqlalchemy import select

from reseller.clock import now
from reseller.database import transaction
from reseller.domain import accounts, letters, staff
from reseller.domain.accounts import Role, User, normal_email
from reseller.domain.identity import links, passwords, second_factor
from reseller.domain.identity.links import Purpose
from reseller.domain.identity.sealing import Seal
from reseller.domain.letters import Letter, LetterKind, LetterState
from reseller.domain.registration.signing_up import prove_by
from reseller.domain.registration.trial_credit import Trial
from reseller.errors import Conflict, InvalidRequest, NotFound

AT_A_TIME = 100


def ask(email: str) -> None:
    """A letter goes to the address: with a link to a new password, or saying why there is none.

    Which of them is decided later, by `decide`: the caller does the same for every address, and so takes the same time.
    Raises InvalidRequest for what is no address.
    """
    letters.write(LetterKind.RESET_ASKED, normal_email(email))


def decide(*, seal: Seal) -> int:
    """Every letter that was asked for has its link, or says why it has none; how many. For a worker."""
    with transaction() as session:
        asked = select(Letter).where(Letter.kind == LetterKind.RESET_ASKED, Letter.state == LetterState.WAITING)
        found = list(session.scalars(asked.order_by(Letter.id).limit(AT_A_TIME).with_for_update(skip_locked=True)))
        for letter in found:
            user = session.scalar(select(User).where(User.email == letter.recipient))
            if user is None:
                letter.kind = LetterKind.NO_ACCOUNT
            elif _needs_operator(user):
                letter.kind = LetterKind.RESET_NEEDS_OPERATOR
            else:
                letter.kind, letter.useful_until = LetterKind.RESET_PASSWORD, now() + links.LASTS[Purpose.RESET]
                letter.sealed_token = seal.close(links.make(user.id, Purpose.RESET, letter.recipient))
    return len(found)


def send(user_id: UUID, *, actor: str, reason: str, seal: Seal) -> str:
    """The person has a letter with a link to a new password; the address it goes to. Whoever sends it never sees the link.

    Raises InvalidRequest without a reason, NotFound for nobody, Conflict for staff whom a letter alone would let in.
    """
    if not reason.strip():
        raise InvalidRequest("Say why; the audit log keeps it.", param="reason")
    with transaction() as session:
        user = session.get(User, user_id)
        if user is None:
            raise NotFound("There is no such person.")
        if _needs_operator(user):
            raise Conflict("Staff without an authenticator get a new password from an operator: flask users password.")
        _write_link(user.id, user.email, seal)
        accounts.record(actor, "user.send_reset_link", user.id, reason=reason.strip())
        return user.email


def finish(token: str, password_hash: str, *, trial: Trial) -> UUID:
    """The person has this password, is signed out everywhere and has a letter about it.

    Raises NotFound for a link that does not work, as for staff without an authenticator none does.

    Whoever opened the link reads the mailbox: an address that nobody had verified is verified.
    """
    with transaction() as session:
        user_id = prove_by(token, Purpose.RESET, trial)
        if _needs_operator(session.get_one(User, user_id)):
            raise NotFound(links.NO_LINK)
        passwords.change(user_id, password_hash, actor=staff.actor_of(user_id), reason="by a link in a letter")
    return user_id


def _needs_operator(user: User) -> bool:
    """Whether reading the mailbox would be all it takes to get into the back office: the next sign-in would enrol an authenticator."""
    return user.role != Role.CUSTOMER and not second_factor.enrolled(user.id)


def _write_link(user_id: UUID, email: str, seal: Seal) -> None:
    token = links.make(user_id, Purpose.RESET, email)
    letters.write(LetterKind.RESET_PASSWORD, email, sealed_token=seal.close(token), lasts=links.LASTS[Purpose.RESET])
