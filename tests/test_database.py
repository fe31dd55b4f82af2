"""How the app talks to its database: what it gives up ends there too, and what fails tells nobody what was sent."""

from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from reseller.database import transaction
from reseller.silence import wait_for_each, wait_in_all
from tests.domain import scenes
from tests.waiting import wait_until


def test_a_question_that_a_page_gave_up_does_not_go_on_in_the_database(app: Flask) -> None:
    """R31: else whoever asks for a slow list again and again fills the database with questions nobody waits for."""
    mark = f"given up {uuid4().hex}"
    wait_in_all(0.3)
    with pytest.raises(OperationalError), transaction() as session:
        session.execute(text(f"SELECT pg_sleep(60) /* {mark} */"))
    wait_for_each(None)

    wait_until(lambda: not scenes.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' || :mark || '%'", mark=mark))


def test_an_error_of_the_database_does_not_tell_what_was_sent(app: Flask) -> None:
    """R37: errors go to the log, and what is sent holds hashes of passwords, sealed secrets and addresses."""
    with pytest.raises(DBAPIError) as failed, transaction() as session:
        session.execute(text("SELECT 1 / 0 WHERE :sent <> ''"), {"sent": "argon2-of-somebody"})

    assert "argon2-of-somebody" not in str(failed.value)
