"""Letters on their way to people: a row for each, written in the transaction of the verb that causes it, so none is lost and none lies.

A worker claims what is due, hands it to the mail server and records what came of it. If it dies between the two, the letter is
sent again: twice in a rare while, never not at all. What a letter must not show to whoever reads the database, the token of a
link, lies sealed in its row and is gone once the letter is.

What somebody waits for goes first. Of anything else a mailbox has a few of a kind in an hour, or whoever alternates a setting could
make all mail wait behind thousands of letters; what happened is told by pages and events all the same.

Not here: the words (`worker/templates/letters`), the mail server (`clients/mailer`), links and their tokens (`identity/links`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from sqlalchemy import CheckConstraint, Index, Text, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, forget_rows, transaction

log = structlog.get_logger()

SEALED_FOR = "letter"
"""The purpose under which callers seal the token of a link."""

LASTS = timedelta(hours=24)
AT_WORK = timedelta(minutes=10)
"""How long a claimed letter is left alone; then whoever claimed it is taken for dead."""

GAPS_SECONDS = (30, 60, 120, 300, 600, 1_800, 3_600)
KEPT = timedelta(days=30)
MAX_ERROR_CHARACTERS = 300
LATE_AT_A_TIME = 500
MANY, MANY_IN = 20, timedelta(hours=1)
"""A mailbox that had so many letters of one kind lately has no more of it for now, unless they are among FIRST."""


class LetterKind(StrEnum):
    """Why a letter is written; also the name of its text. RESET_ASKED has none: it becomes one of the others before it is sent."""

    RESET_ASKED = "reset_asked"
    VERIFY_ADDRESS = "verify_address"
    ALREADY_REGISTERED = "already_registered"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a letter
    NO_ACCOUNT = "no_account"
    RESET_NEEDS_OPERATOR = "reset_needs_operator"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    SIGN_IN_LINKED = "sign_in_linked"
    AUTHENTICATOR_CHANGED = "authenticator_changed"
    RECOVERY_CODES_ISSUED = "recovery_codes_issued"
    CONFIRM_NEW_ADDRESS = "confirm_new_address"
    ADDRESS_TAKEN = "address_taken"
    ADDRESS_CHANGE_ASKED = "address_change_asked"
    ADDRESS_CHANGED = "address_changed"
    LOW_BALANCE = "low_balance"
    BUDGET_CROSSED = "budget_crossed"
    KEY_EXPIRES = "key_expires"
    ACCOUNT_FROZEN = "account_frozen"
    OPERATOR_ALARM = "operator_alarm"
    OPERATOR_ALARM_OVER = "operator_alarm_over"
    WEBHOOK_OFF = "webhook_off"


FIRST = frozenset(
    {
        *(LetterKind.OPERATOR_ALARM, LetterKind.OPERATOR_ALARM_OVER),
        *(LetterKind.VERIFY_ADDRESS, LetterKind.RESET_PASSWORD, LetterKind.CONFIRM_NEW_ADDRESS),
        *(LetterKind.RESET_ASKED, LetterKind.ALREADY_REGISTERED, LetterKind.NO_ACCOUNT, LetterKind.RESET_NEEDS_OPERATOR),
        LetterKind.ADDRESS_TAKEN,
    }
)
"""Alarms, links, and what is written instead of a link: somebody waits for it, so it goes before all others.

Doors brake whoever asks for them (`identity/throttle`), so no mailbox has too many.
"""


class LetterState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"  # there is no such mailbox, or it takes nothing from us
    GIVEN_UP = "given_up"  # the mail server did not take it for too long


class Letter(Identified, Created, Base):
    __tablename__ = "letters"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'refused', 'given_up')", name="state_known"),
        Index("ix_letters_due", "next_try_at", postgresql_where="state = 'waiting'"),
        Index("ix_letters_state_created_at", "state", "created_at"),
        Index("ix_letters_recipient_created_at", "recipient", "created_at"),
    )

    kind: Mapped[str] = mapped_column(Text)
    recipient: Mapped[str] = mapped_column(Text)
    facts: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)  # what the text tells; never a secret
    sealed_token: Mapped[str] = mapped_column(Text, default="")  # of the link inside; "" once the letter is sent, or without one
    state: Mapped[str] = mapped_column(Text, default=LetterState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(default=now)
    useful_until: Mapped[datetime]  # an hour-old link is not worth a letter
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)  # of the last attempt


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter in the hands of a worker."""

    id: UUID
    kind: LetterKind
    recipient: str
    facts: Mapping[str, str]
    sealed_token: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Late:
    """A letter that was given up before its turn came, and why."""

    id: UUID
    kind: str  # a later release may know more kinds
    error: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Letters that do not get through: how many wait after a failure, were given up and refused of late, and the last error."""

    waiting: int
    given_up: int
    refused: int
    sent: int
    error: str | None

    @property
    def is_grave(self) -> bool:
        """Whether it is the mail server's doing and not a stranger's wrong address."""
        return self.given_up > 0 or self.refused > max(self.sent, 2)


_HAD = text("SELECT count(*) FROM letters WHERE recipient = :recipient AND kind = :kind AND created_at > :since")


def write(
    kind: LetterKind, recipient: str, *, facts: Mapping[str, str] | None = None, sealed_token: str = "", lasts: timedelta = LASTS
) -> None:
    """The letter is on its way once the caller's transaction is committed, unless the mailbox had MANY of that kind.

    Letters that are written at the same moment do not see each other, so a few more may go out.
    """
    with transaction() as session:
        had = {"recipient": recipient, "kind": kind, "since": now() - MANY_IN}
        if kind not in FIRST and session.scalars(_HAD, had).one() >= MANY:
            log.warning("letter_left_out", kind=kind)
            return
        session.add(
            Letter(
                kind=kind,
                recipient=recipient,
                facts=dict(facts or {}),
                sealed_token=sealed_token,
                useful_until=now() + min(lasts, LASTS),
            )
        )


_LATE = text(
    """UPDATE letters SET state = 'given_up', sealed_token = '', error = coalesce(error, 'of no more use before its turn came')
        WHERE id IN (SELECT id FROM letters WHERE state = 'waiting' AND next_try_at <= :now AND useful_until <= :now
                      LIMIT :limit FOR UPDATE SKIP LOCKED)
       RETURNING id, kind, error"""
)


def give_up_late() -> list[Late]:
    """Letters that were of use until now and are in nobody's hands are not sent any more."""
    with transaction() as session:
        rows = session.execute(_LATE, {"now": now(), "limit": LATE_AT_A_TIME}).mappings()
        return [Late(**row) for row in rows]


_CLAIM = text(
    """UPDATE letters SET attempts = attempts + 1, next_try_at = :until
        WHERE id IN (SELECT id FROM letters
                      WHERE state = 'waiting' AND next_try_at <= :now AND useful_until > :now AND kind = ANY(:kinds)
                      ORDER BY next_try_at LIMIT :limit FOR UPDATE SKIP LOCKED)
       RETURNING id, kind, recipient, facts, sealed_token, created_at"""
)


def claim_due(limit: int) -> list[Claimed]:
    """Letters that are due and of use, those of FIRST before the others, then the oldest: nobody else gets them for AT_WORK."""
    at, claimed = now(), list[Claimed]()
    with transaction() as session:
        for kinds in (FIRST - {LetterKind.RESET_ASKED}, frozenset(LetterKind) - FIRST):
            given = {"until": at + AT_WORK, "now": at, "kinds": sorted(kinds), "limit": limit - len(claimed)}
            rows = session.execute(_CLAIM, given).mappings()
            found = [Claimed(**{**row, "kind": LetterKind(row["kind"])}) for row in rows]
            claimed += sorted(found, key=lambda letter: letter.id)
    return claimed


def record_sent(letter_id: UUID) -> None:
    """The mail server has the letter; its token is gone from here."""
    _end(letter_id, LetterState.SENT, sent_at=now(), error=None)


def record_refused(letter_id: UUID, error: str) -> None:
    """Nobody takes this letter, now or later."""
    _end(letter_id, LetterState.REFUSED, error=error[:MAX_ERROR_CHARACTERS])


def withdraw_waiting(why: str) -> int:
    """No letter that waits is sent; how many did. For a database that went back in time: they were sent then."""
    with transaction() as session:
        query = update(Letter).where(Letter.state == LetterState.WAITING)
        done = session.execute(query.values(state=LetterState.GIVEN_UP, sealed_token="", error=why[:MAX_ERROR_CHARACTERS]))
        return int(done.rowcount)  # type: ignore[attr-defined]


def record_failure(letter_id: UUID, error: str) -> bool:
    """The letter is tried again after a while that grows with each attempt; False if it was given up, being of no more use."""
    with transaction() as session:
        letter = session.get(Letter, letter_id, with_for_update=True, populate_existing=True)
        if letter is None or letter.state != LetterState.WAITING:
            return True
        letter.error = error[:MAX_ERROR_CHARACTERS]
        letter.next_try_at = now() + timedelta(seconds=GAPS_SECONDS[min(letter.attempts, len(GAPS_SECONDS)) - 1])
        if letter.next_try_at < letter.useful_until:
            return True
        letter.state, letter.sealed_token = LetterState.GIVEN_UP, ""
        return False


def _end(letter_id: UUID, state: LetterState, **facts: object) -> None:
    with transaction() as session:
        session.execute(update(Letter).where(Letter.id == letter_id).values(state=state, sealed_token="", **facts))


_TROUBLE = text(
    """SELECT count(*) FILTER (WHERE state = 'waiting' AND error IS NOT NULL) AS waiting,
              count(*) FILTER (WHERE state = 'given_up') AS given_up,
              count(*) FILTER (WHERE state = 'refused') AS refused,
              count(*) FILTER (WHERE state = 'sent') AS sent,
              (SELECT error FROM letters WHERE state <> 'sent' AND error IS NOT NULL AND created_at >= :since
                ORDER BY created_at DESC LIMIT 1) AS error
         FROM letters WHERE created_at >= :since"""
)


def trouble() -> Trouble:
    """How the letters of the last two days fared."""
    with transaction() as session:
        return Trouble(**session.execute(_TROUBLE, {"since": now() - 2 * LASTS}).mappings().one())


def forget_old() -> int:
    """Letters that were done with long ago have no row; how many had."""
    return forget_rows(Letter, Letter.state != LetterState.WAITING, Letter.created_at < now() - KEPT)
