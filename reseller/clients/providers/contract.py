"""What every provider does: sends a browser off, and afterwards says who came back."""

from dataclasses import dataclass, field
from typing import Protocol

MAX_SUBJECT_CHARACTERS = 255  # OpenID Connect Core 1.0, section 2
MAX_CLAIM_CHARACTERS = 320


class Down(Exception):
    """The provider does not answer, or answers with what is no answer. Trying later may help."""


class NotVouched(Exception):
    """The provider answered, and it is no proof: a code used twice, a token for somebody else, a claim that does not fit."""


class NotAsked(NotVouched):
    """The provider vouches for somebody whom it did not ask again, though it should have."""


@dataclass(frozen=True, slots=True)
class Journey:
    """What has to be known again when the browser comes back. None of it may be seen by anybody but this browser."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """Somebody, as the provider knows them. Who they are is `issuer` and `subject` together; all else is what it says of them."""

    issuer: str
    subject: str
    email: str  # "" if it tells none
    is_email_verified: bool
    name: str


class Provider(Protocol):
    """One provider. Safe for any number of requests at once."""

    @property
    def issuer(self) -> str:
        """As it was configured, without a slash at its end: for comparing, and for telling providers apart."""
        ...

    def begin(self, redirect_uri: str, *, again: bool = False) -> tuple[str, Journey]:
        """Where to send the browser. `again`: the provider should ask even somebody whom it knows. Raises Down."""
        ...

    def finish(self, journey: Journey, code: str, redirect_uri: str, *, again: bool = False) -> Proof:
        """Who came back with this code. `again`: the journey began so. Raises Down, NotVouched; NotAsked if the provider tells it."""
        ...


def proof(*, issuer: str, subject: object, email: object, is_email_verified: object, name: object) -> Proof:
    """A proof of what a provider sent, each part held to its kind and size. Raises NotVouched without a subject."""
    if not isinstance(subject, str) or not subject or len(subject) > MAX_SUBJECT_CHARACTERS or not subject.isprintable():
        raise NotVouched("the provider names nobody")
    return Proof(issuer, subject, _line(email), is_email_verified is True, _line(name))


def _line(claim: object) -> str:
    """A claim as one line of text; "" for anything else than text, and for what is endless."""
    if not isinstance(claim, str) or len(claim) > MAX_CLAIM_CHARACTERS:
        return ""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in claim).split())
