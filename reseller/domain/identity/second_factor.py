"""The authenticator app (TOTP, RFC 6238): enrolled with a code, asked at sign-in, each code good once.

Its secret is in the database sealed and bound to its person, so neither a copy of the tables nor a row moved to
somebody else opens anything.
"""

import hmac
from uuid import UUID

import pyotp
from sqlalchemy import delete, exists, select, update

from reseller.clock import now, unix_seconds
from reseller.database import transaction
from reseller.domain import accounts, letters, staff
from reseller.domain.accounts import Role, User
from reseller.domain.identity import links, recovery_codes, sessions
from reseller.domain.identity.sealing import Broken, Seal
from reseller.domain.identity.tables import SecondFactor
from reseller.domain.letters import LetterKind
from reseller.errors import Conflict, Forbidden, NotFound

STEP_SECONDS = 30
TOLERANCE = 1  # steps that a phone's clock may be off, either way
PURPOSE = "second factor"


def new_secret() -> str:
    """A secret for an authenticator app, 160 random bits in base32."""
    return pyotp.random_base32()


def uri_of(secret: str, *, email: str, issuer: str) -> str:
    """What the QR code of an enrolment says."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def enrolled(user_id: UUID) -> bool:
    """Whether the person has an authenticator."""
    with transaction() as session:
        return bool(session.scalar(select(exists().where(SecondFactor.user_id == user_id))))


def enrol(user_id: UUID, secret: str, code: str, *, seal: Seal, replaces: bool) -> list[str] | None:
    """The authenticator with this secret is the person's, and their new recovery codes; None if the code is not of it.

    They have a letter about it: whoever had only their password would keep them out past any new one.

    Raises Conflict unless `replaces` says truly whether they had one before: a page opened earlier changes nothing.
    """
    step = _step_of(secret, code)
    if step is None:
        return None
    actor = staff.actor_of(user_id)
    with transaction() as session:
        user = session.get_one(User, user_id, with_for_update=True)  # two pages that enrol at once: the second is told
        if _remove(user_id) != replaces:
            raise Conflict("The authenticator was changed in the meantime. Nothing was saved; begin again.")
        row = SecondFactor(user_id=user_id, sealed_secret=seal.close(f"{user_id} {secret}"), confirmed_at=now(), last_step=step)
        session.add(row)
        session.flush()
        accounts.record(actor, "user.replace_second_factor" if replaces else "user.enrol_second_factor", user_id)
        _tell(user.email, "replaced" if replaces else "added")
        accounts.tell_of_member(user_id, "second_factor")
        return recovery_codes.make(user_id, actor=actor)


def shown(user_id: UUID, code: str, *, seal: Seal) -> bool:
    """Whether this is a code of the person's authenticator, now and for the first time. Raises Conflict if its secret cannot be read."""
    with transaction() as session:
        sealed = session.scalar(select(SecondFactor.sealed_secret).where(SecondFactor.user_id == user_id))
        step = None if sealed is None else _step_of(_opened(sealed, user_id, seal), code)
        if step is None:
            return False
        query = update(SecondFactor).where(SecondFactor.user_id == user_id, SecondFactor.last_step < step)
        return session.execute(query.values(last_step=step)).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def reset(user_id: UUID, *, actor: str, reason: str, keep: UUID | None = None) -> int:
    """The person has no authenticator, no recovery codes, and a letter about it; how many of their sessions that ended, all but `keep`.

    Staff enrol anew at their next sign-in. Raises NotFound if there was none.
    """
    with transaction() as session:
        session.get(User, user_id, with_for_update=True)  # as whoever resets a password by a link: one of the two sees the other
        if not _remove(user_id):
            raise NotFound("This person has no authenticator.")
        links.void(user_id)
        recovery_codes.discard(user_id)
        accounts.record(actor, "user.reset_second_factor", user_id, reason=reason)
        _tell(session.get_one(User, user_id).email, "removed")
        accounts.tell_of_member(user_id, "second_factor")
        return sessions.end_all(user_id, but=keep)


def give_up(user_id: UUID, *, keep: UUID) -> int:
    """A customer has no authenticator by their own wish; how many of their sessions that ended, all but `keep`. Forbidden for staff."""
    with transaction() as session:
        if session.get_one(User, user_id).role != Role.CUSTOMER:
            raise Forbidden("Staff keep a second factor. You can replace it.")
        return reset(user_id, actor=staff.actor_of(user_id), reason="own wish", keep=keep)


def _tell(email: str, what: str) -> None:
    letters.write(LetterKind.AUTHENTICATOR_CHANGED, email, facts={"what": what, "address": staff.acting_address()})


def _remove(user_id: UUID) -> bool:
    with transaction() as session:
        return session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id)).rowcount == 1  # type: ignore[attr-defined,no-any-return]


def _opened(sealed: str, user_id: UUID, seal: Seal) -> str:
    try:
        whose, secret = seal.open(sealed).split(" ")
    except Broken:
        raise Conflict("Your authenticator cannot be checked: the server's secret has changed. Use a recovery code.") from None
    if whose != str(user_id):
        raise Conflict("Your authenticator cannot be checked. Use a recovery code, or ask an admin.")
    return secret


def _step_of(secret: str, code: str) -> int | None:
    """The time step near now whose code this is."""
    given = code.replace(" ", "")
    if len(given) != 6 or not given.isascii() or not given.isdigit():
        return None
    here = unix_seconds() // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    return next(
        (step for step in range(here - TOLERANCE, here + TOLERANCE + 1) if hmac.compare_digest(totp.generate_otp(step), given)), None
    )
