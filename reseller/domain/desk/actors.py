"""Names of whoever did something: audit rows and ledger entries hold `user:<id>`, `cli:<os user>` or `system:<job>`."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from reseller.database import transaction
from reseller.domain.accounts import User

NAMED = {"system:stripe": "Stripe", "system:payments": "Payments"}
"""Who acts in nobody's name and at no time of ours: Stripe's own pages, and what its events move in the books."""


def names_of(actors: Iterable[str]) -> dict[str, str]:
    """Actor → words for people: an address, "command line (root)", "the clock (audit)". One query for all."""
    ids = {actor: _id_of(actor) for actor in set(actors)}
    wanted = [user_id for user_id in ids.values() if user_id is not None]
    emails: dict[UUID, str] = {}
    if wanted:
        with transaction() as session:
            emails = {row.id: row.email for row in session.execute(select(User.id, User.email).where(User.id.in_(wanted)))}
    return {actor: _words(actor) if user_id is None else emails.get(user_id, actor) for actor, user_id in ids.items()}


def _id_of(actor: str) -> UUID | None:
    kind, _, name = actor.partition(":")
    try:
        return UUID(name) if kind == "user" else None
    except ValueError:
        return None


def _words(actor: str) -> str:
    if actor in NAMED:
        return NAMED[actor]
    kind, _, name = actor.partition(":")
    return {"cli": f"command line ({name})", "system": f"the clock ({name})"}.get(kind, actor)
