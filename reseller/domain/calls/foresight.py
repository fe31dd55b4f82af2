"""What admission would say to a call, without admitting it: nothing is locked, held, counted or written.

The same facts are read by the same statements and put to the same decision, so an estimate and the call itself
differ only by what happens between them.
"""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from reseller.database import transaction
from reseller.domain.calls import admission
from reseller.domain.calls.admission import Admit, Admitted
from reseller.domain.calls.batch import add_admitting, key_states
from reseller.domain.calls.state import AccountState
from reseller.domain.calls.statements import READ_ACCOUNTS, READ_ADMITTING, READ_KEYS
from reseller.errors import InvalidKey, Refusal


def foresee(op: Admit) -> tuple[Admitted | Refusal, int]:
    """The answer that this call would get now, and the account's available nano-dollars before it.

    Raises InvalidKey if account or key are not there for whoever the transaction acts for.
    """
    with transaction() as session:
        accounts = _rows(session, READ_ACCOUNTS, op.account_id)
        admitting = _rows(session, READ_ADMITTING, op.account_id)
        keys = _rows(session, READ_KEYS, op.key_id)
    if not (accounts and admitting and keys):
        raise InvalidKey
    account, key = AccountState(*accounts[0]), key_states(keys)[op.key_id]
    add_admitting(account, admitting[0])
    available = account.available
    return admission.decide(op, account, key), available


def _rows(session: Session, statement: str, row_id: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in session.execute(text(statement.replace("$1", ":ids")), {"ids": [row_id]})]
