"""What lies in the outbox for somebody: kinds of letters, and the paths of their links.

In the order in which they were written: the clock of these tests stands still, so ids do not tell.
"""

from flask import Flask, current_app

from reseller.domain.identity.sealing import Seal
from reseller.domain.letters import SEALED_FOR, LetterKind
from reseller.domain.registration import resets
from reseller.worker.letters import PATHS
from tests.domain import scenes


def kinds(email: str) -> list[str]:
    """Of the letters to this address, oldest first, as a worker would send them."""
    resets.decide(seal=Seal(current_app.config["SECRET_KEY"], SEALED_FOR))
    return [row["kind"] for row in scenes.rows("SELECT kind FROM letters WHERE recipient = :email ORDER BY created_at, ctid", email=email)]


def link(app: Flask, email: str, kind: LetterKind) -> str:
    """The path of the link in the newest letter of this kind to this address."""
    resets.decide(seal=Seal(app.config["SECRET_KEY"], SEALED_FOR))
    query = "SELECT sealed_token FROM letters WHERE recipient = :email AND kind = :kind ORDER BY created_at DESC, ctid DESC LIMIT 1"
    [row] = scenes.rows(query, email=email, kind=str(kind))
    token = Seal(app.config["SECRET_KEY"], SEALED_FOR).open(row["sealed_token"])
    assert token not in row["sealed_token"]
    return f"{PATHS[kind][0]}{token}"
