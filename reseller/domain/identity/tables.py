"""Sessions, second factors, recovery codes, identities at providers and brakes. Only digests and sealed secrets are kept.

Written by the verbs of this package alone.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified


class SignInSession(Identified, Created, Base):
    """One browser that is signed in. The row is the session: without it the cookie is worth nothing (R26)."""

    __tablename__ = "sessions"

    token_digest: Mapped[str] = mapped_column(Text, unique=True)  # SHA-256 of the random token in the cookie
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    seen_at: Mapped[datetime] = mapped_column(default=now)  # last request, to the minute
    expires_at: Mapped[datetime]
    address: Mapped[str] = mapped_column(Text)  # where it was signed in from
    user_agent: Mapped[str] = mapped_column(Text)  # at most 300 characters
    second_factor_at: Mapped[datetime | None]  # None: password only
    confirmed_at: Mapped[
        datetime | None
    ]  # the last time the person showed again who they are: by second factor, or by password where they have none


class SecondFactor(Created, Base):
    """A person's authenticator app (TOTP, RFC 6238). The row exists once a code of it was shown."""

    __tablename__ = "second_factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    sealed_secret: Mapped[str] = mapped_column(Text)  # encrypted under a key derived from SECRET_KEY
    confirmed_at: Mapped[datetime | None]  # when that was; always set
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)  # newest time step used, so that no code works twice


class RecoveryCode(Identified, Created, Base):
    """Stands in once for a lost authenticator."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    code_digest: Mapped[str] = mapped_column(Text, unique=True)  # SHA-256 of a code with 80 random bits
    used_at: Mapped[datetime | None]


class Identity(Identified, Created, Base):
    """A person as a provider knows them: whoever it vouches for by this issuer and subject is signed in as them (R26)."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)  # means something together with the issuer alone
    label: Mapped[str] = mapped_column(Text)  # what the provider calls them, an e-mail address mostly; for people to read
    used_at: Mapped[datetime] = mapped_column(default=now)  # the last time that the provider vouched for them


class Link(Identified, Created, Base):
    """A link in a letter."""

    __tablename__ = "links"

    token_digest: Mapped[str] = mapped_column(Text, unique=True)  # SHA-256 of the random token in the link
    purpose: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    email: Mapped[str] = mapped_column(Text)  # the address whose mailbox the link was sent to
    browser_digest: Mapped[str] = mapped_column(Text, default="")  # SHA-256 of a secret of the browser that asked; "" for none
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Throttle(Base):
    """Failures under one name (an account or an address) since `started_at`."""

    __tablename__ = "throttles"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    started_at: Mapped[datetime]
    failures: Mapped[int]
