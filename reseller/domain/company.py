"""Whom an account's statements are made out to, as its owner wrote it: name, company, tax id, postal address.

Columns of `accounts`, changed here alone. Nothing here is checked with an authority; a statement says what the owner says.
"""

from dataclasses import asdict, dataclass
from uuid import UUID

from reseller.database import db, transaction
from reseller.domain import accounts, staff
from reseller.domain.accounts import MAX_NAME_CHARACTERS, Account, one_line
from reseller.errors import Forbidden, InvalidRequest, NotFound

MAX_TAX_ID_CHARACTERS = 40
MAX_ADDRESS_CHARACTERS = 500
MAX_ADDRESS_LINES = 8


@dataclass(frozen=True, slots=True)
class Details:
    """What the owner may change. "" is not given; `billing_address` has lines."""

    account_name: str
    company: str = ""
    tax_id: str = ""
    billing_address: str = ""


@dataclass(frozen=True, slots=True)
class Company:
    """The details as they stand; `version` is the account's, for whoever changes them next."""

    details: Details
    version: int

    @property
    def addressee(self) -> tuple[str, ...]:
        """The lines of an address on a statement: who, where, tax id."""
        lines = (self.details.company or self.details.account_name, *self.details.billing_address.splitlines())
        return (*lines, f"Tax ID {self.details.tax_id}") if self.details.tax_id else lines


def of(account_id: UUID) -> Company:
    """The details of this account. Raises NotFound."""
    account = db.session.get(Account, account_id)
    if account is None:
        raise NotFound("There is no such account.")
    return written(account)


def written(account: Account) -> Company:
    """The details in a row that was read already."""
    return Company(_details(account), account.version)


def change(account_id: UUID, details: Details, *, by: UUID, seen_version: int | None) -> None:
    """The account has these details; blanks around and between words are gone, and what cannot be seen.

    Raises InvalidRequest for what is too long or no text, Forbidden for somebody who does not own the account, Conflict
    if it was changed meanwhile, NotFound.
    """
    wanted = _tidy(details)
    with transaction() as session:
        account = session.get(Account, account_id, with_for_update=True, populate_existing=True)
        if account is None:
            raise NotFound("There is no such account.")
        if accounts.home_of(by) != account_id:
            raise Forbidden("Only the owner of the account changes this.")
        before, after = asdict(_details(account)), asdict(wanted)
        changes = {field: [before[field], value] for field, value in after.items() if before[field] != value}
        if not changes:
            return
        account.claim(seen_version)
        account.name, account.company = wanted.account_name, wanted.company
        account.tax_id, account.billing_address = wanted.tax_id, wanted.billing_address
        staff.record(staff.actor_of(by), "account.change_company", "account", account_id, account_id=account_id, changes=changes)


def _details(account: Account) -> Details:
    return Details(account.name, account.company, account.tax_id, account.billing_address)


def _tidy(details: Details) -> Details:
    lines = [one_line(line) for line in details.billing_address.splitlines()]
    tidy = Details(
        account_name=one_line(details.account_name),
        company=one_line(details.company),
        tax_id=one_line(details.tax_id),
        billing_address="\n".join(line for line in lines if line),
    )
    if not tidy.account_name:
        raise InvalidRequest("The account needs a name.", param="account_name")
    for field, most in (
        ("account_name", MAX_NAME_CHARACTERS),
        ("company", MAX_NAME_CHARACTERS),
        ("tax_id", MAX_TAX_ID_CHARACTERS),
        ("billing_address", MAX_ADDRESS_CHARACTERS),
    ):
        if len(getattr(tidy, field)) > most:
            raise InvalidRequest(f"At most {most} characters.", param=field)
    if len(tidy.billing_address.splitlines()) > MAX_ADDRESS_LINES:
        raise InvalidRequest(f"An address has at most {MAX_ADDRESS_LINES} lines.", param="billing_address")
    return tidy
