"""The secrets of the demo: a login for each role and two keys that work, made anew where the known ones do not.

Only their hashes are in the database; where the secrets themselves are kept is the door's affair.
"""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from reseller.database import db, transaction
from reseller.domain import keys
from reseller.domain.accounts import User, find_person, hash_password, password_matches, random_password
from reseller.domain.demo import cast
from reseller.domain.identity import passwords
from reseller.domain.keys import ApiKey


@dataclass(frozen=True, slots=True)
class Login:
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logins:
    """What a visitor of the demo needs. `staff` is the admin, `api_key` is live, `test_key` is answered by the sandbox."""

    staff: Login
    support: Login
    finance: Login
    customer: Login
    api_key: str = field(repr=False)
    test_key: str = field(repr=False)


PEOPLE = {"staff": cast.ADMIN.email, "support": cast.SUPPORT.email, "finance": cast.FINANCE.email, "customer": cast.CUSTOMER.email}
"""Whose logins they are."""


def new_people() -> dict[str, Login]:
    """A login with a new password for each of PEOPLE."""
    return {name: Login(email, random_password()) for name, email in PEOPLE.items()}


def working(known: Logins | None, *, actor: str) -> Logins:
    """Logins that work: the known ones, each replaced only if it is lost, changed or revoked."""
    with transaction():
        account_id = find_person(cast.CUSTOMER.email).account_id
        return Logins(
            **{name: _login(email, getattr(known, name, None), actor=actor) for name, email in PEOPLE.items()},
            api_key=_key(account_id, known.api_key if known else "", is_test=False, actor=actor),
            test_key=_key(account_id, known.test_key if known else "", is_test=True, actor=actor),
        )


def _login(email: str, known: Login | None, *, actor: str) -> Login:
    user = db.session.scalars(select(User).where(User.email == email)).one()
    if known and known.email == email and user.password_hash and password_matches(user.password_hash, known.password):
        return known
    password = random_password()
    passwords.change(user.id, hash_password(password), actor=actor, reason="demo data")
    return Login(email, password)


def _key(account_id: UUID, known: str, *, is_test: bool, actor: str) -> str:
    if keys.has_key_shape(known):
        key = db.session.scalar(select(ApiKey).where(ApiKey.key_hash == keys.digest_of(known), ApiKey.account_id == account_id))
        if key is not None and key.is_test == is_test and keys.is_usable(key):
            return known
    return keys.mint(account_id, name="Demo test" if is_test else "Demo", actor=actor, is_test=is_test)[0]
