"""What staff write down about a customer, for each other. Never shown to the customer. Rows are only added."""

from uuid import UUID

from sqlalchemy import ForeignKey, Text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from reseller.database import Base, Created, Identified, transaction
from reseller.domain import staff
from reseller.errors import Conflict, InvalidRequest

MAX_CHARACTERS = 4_000


class AccountNote(Identified, Created, Base):
    __tablename__ = "account_notes"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    author: Mapped[str] = mapped_column(Text)  # actor, as in audit rows
    body: Mapped[str] = mapped_column(Text)


def add(note_id: UUID, account_id: UUID, body: str, *, actor: str) -> None:
    """The note stands with the account. `note_id` is the nonce of its form: sent twice, it stands once.

    Raises InvalidRequest for an empty or overlong note, Conflict for the nonce of another one.
    """
    words = body.strip()
    if not words or len(words) > MAX_CHARACTERS or "\x00" in words:
        raise InvalidRequest(f"A note needs words, at most {MAX_CHARACTERS:,} characters of them.", param="body")
    note = AccountNote(id=note_id, account_id=account_id, author=actor, body=words)
    try:
        with transaction() as session:
            session.add(note)
            session.flush()
            staff.record(actor, "note.add", "account", account_id, account_id=account_id)
    except IntegrityError:
        _check_again(note_id, (account_id, actor, words))


def _check_again(note_id: UUID, facts: tuple[UUID, str, str]) -> None:
    with transaction() as session:
        there = session.get(AccountNote, note_id)
        if there is None or (there.account_id, there.author, there.body) != facts:
            raise Conflict("This form was used for another note. Open the page again.")
