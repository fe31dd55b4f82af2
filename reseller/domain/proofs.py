"""Proofs of backups: each was restored elsewhere and its books added up (R35). Rows are only added."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Index, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from reseller.clock import now
from reseller.database import Base, Created, Identified, transaction

LASTS = timedelta(days=8)
"""A proof older than that says little about the backup one would restore; weekly proofs stay within it."""


class BackupProof(Identified, Created, Base):
    __tablename__ = "backup_proofs"
    __table_args__ = (Index("ix_backup_proofs_taken_at", "taken_at"),)

    taken_at: Mapped[datetime]  # the instant that the backup holds
    sha256: Mapped[str] = mapped_column(Text)
    bytes_: Mapped[int] = mapped_column("bytes", BigInteger)
    accounts: Mapped[int]
    entries: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Proof:
    """A backup that would work."""

    taken_at: datetime
    sha256: str
    bytes_: int
    accounts: int
    entries: int

    @property
    def is_stale(self) -> bool:
        """Whether the backup is too old to rely on."""
        return self.taken_at < now() - LASTS


def record(proof: Proof) -> None:
    """Staff see it on the set-up list, and an alarm rings when the next one is overdue."""
    with transaction() as session:
        session.add(
            BackupProof(taken_at=proof.taken_at, sha256=proof.sha256, bytes_=proof.bytes_, accounts=proof.accounts, entries=proof.entries)
        )


def last() -> Proof | None:
    """Of the newest backup that was proved; None if none ever was."""
    with transaction() as session:
        row = session.scalar(select(BackupProof).order_by(BackupProof.taken_at.desc()).limit(1))
        return None if row is None else Proof(row.taken_at, row.sha256, row.bytes_, row.accounts, row.entries)
