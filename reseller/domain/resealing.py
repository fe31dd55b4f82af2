"""Everything that lies sealed in the database, read under an older SECRET_KEY and sealed anew under the newest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute

from reseller.database import transaction
from reseller.domain import letters, staff, webhooks
from reseller.domain.identity import second_factor
from reseller.domain.identity.sealing import Broken, Seal
from reseller.domain.identity.tables import SecondFactor
from reseller.domain.letters import Letter
from reseller.domain.webhooks import WebhookEndpoint

SEALED: tuple[tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any], str], ...] = (
    (SecondFactor.user_id, SecondFactor.sealed_secret, second_factor.PURPOSE),
    (Letter.id, Letter.sealed_token, letters.SEALED_FOR),
    (WebhookEndpoint.id, WebhookEndpoint.sealed_secret, webhooks.SEALED_FOR),
    (WebhookEndpoint.id, WebhookEndpoint.sealed_old_secret, webhooks.SEALED_FOR),
)
"""Key of the row, sealed column, purpose. A test holds that every column that lies sealed is here."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many texts were sealed anew, were under the newest key already, and which no key opens."""

    renewed: int
    current: int
    unreadable: tuple[str, ...]


def reseal(secret_keys: Sequence[str], *, actor: str) -> Resealed:
    """Whatever a key of ours opens is under the first of them; what somebody changes meanwhile is left to them. Safe to repeat."""
    renewed, current, unreadable = 0, 0, list[str]()
    with transaction() as session:
        for key, column, purpose in SEALED:
            seal = Seal(secret_keys, purpose)
            for row_id, sealed in session.execute(select(key, column).where(column != "")).all():
                try:
                    anew = seal.renewed(sealed)
                except Broken:
                    unreadable.append(f"{column.class_.__tablename__} {row_id}")
                    continue
                if anew is None:
                    current += 1
                    continue
                session.execute(update(column.class_).where(key == row_id, column == sealed).values({column.key: anew}))
                renewed += 1
        if renewed:
            staff.record(actor, "secrets.reseal", "database", "", changes={"texts": [None, renewed]})
    return Resealed(renewed, current, tuple(unreadable))
