"""The proof of all books: the ledger by itself, and payments against it; and what follows where they do not add up."""

from dataclasses import replace

from reseller.domain import accounts, ledger, payments
from reseller.domain.ledger import AuditReport


def verify() -> AuditReport:
    """What `ledger.verify` says, and what payments say otherwise. Nothing is changed."""
    report = ledger.verify()
    return replace(report, mismatches=(*report.mismatches, *payments.mismatches()))


def halt_mismatched(report: AuditReport) -> None:
    """Accounts whose books do not add up are halted (R1)."""
    for mismatch in report.mismatches:
        accounts.halt(mismatch.account_id, reason=f"{mismatch.row}: {mismatch.problem}")
