"""The secrets of the demo: two logins and two keys that work, made anew where the known ones do not.

Only their hashes are in the database; where the secrets themselves are kept is the door's affair.
"""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from reseller.database import db, transaction
from reseller.domain import keys, staff
from reseller.domain.accounts import User, find_person, hash_password, password_matches, random_password
from reseller.domain.demo import cast
from reseller.domain.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Login:
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logins:
    """What a visitor of the demo needs. `api_key` is live, `test_key` is answered by the sandbox."""

    staff: Login
    customer: Login
    api_key: str = field(repr=False)
    test_key: str = field(repr=False)


def working(known: Logins | None, *, actor: str) -> Logins:
    """Logins that work: the known ones, each replaced only if it is lost, changed or revoked."""
    with transaction():
        account_id = find_person(cast.CUSTOMER.email).account_id
        return Logins(
            staff=_login(cast.ADMIN.email, known.staff if known else None, actor=actor),
            customer=_login(cast.CUSTOMER.email, known.customer if known else None, actor=actor),
            api_key=_key(account_id, known.api_key if known else "", is_test=False, actor=actor),
            test_key=_key(account_id, known.test_key if known else "", is_test=True, actor=actor),
        )


def _login(email: str, known: Login | None, *, actor: str) -> Login:
    user = db.session.scalars(select(User).where(User.email == email)).one()
    if known and known.email == email and user.password_hash and password_matches(user.password_hash, known.password):
        return known
    password = random_password()
    user.password_hash = hash_password(password)
    staff.record(actor, "user.set_password", "user", user.id, reason="demo data")
    return Login(email, password)


def _key(account_id: UUID, known: str, *, is_test: bool, actor: str) -> str:
    if keys.has_key_shape(known):
        key = db.session.scalar(select(ApiKey).where(ApiKey.key_hash == keys.digest_of(known), ApiKey.account_id == account_id))
        if key is not None and key.is_test == is_test and keys.is_usable(key):
            return known
    return keys.mint(account_id, name="Demo test" if is_test else "Demo", actor=actor, is_test=is_test)[0]
