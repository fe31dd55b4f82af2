"""Notes of staff: added once for each form, with a trace that does not repeat their words."""

from typing import Any

import pytest

from reseller.clock import new_id
from reseller.domain import notes
from reseller.errors import Conflict, InvalidRequest
from tests import factories
from tests.domain import scenes


def test_a_form_sent_twice_makes_one_note_and_one_trace(app: Any) -> None:
    customer, note_id = factories.make_person(), new_id()

    for _ in range(2):
        notes.add(note_id, customer.account_id, " called about an invoice ", actor="user:1")

    [note] = scenes.rows("SELECT * FROM account_notes")
    assert (note["body"], note["author"], note["account_id"]) == ("called about an invoice", "user:1", customer.account_id)
    [action] = scenes.rows("SELECT * FROM staff_actions WHERE action = 'note.add'")
    assert "invoice" not in str(action)


@pytest.mark.parametrize(("body", "actor"), [("other words", "user:1"), ("words", "user:2")])
def test_the_nonce_of_another_note_is_a_conflict(app: Any, body: str, actor: str) -> None:
    customer, note_id = factories.make_person(), new_id()
    notes.add(note_id, customer.account_id, "words", actor="user:1")

    with pytest.raises(Conflict):
        notes.add(note_id, customer.account_id, body, actor=actor)

    assert [note["body"] for note in scenes.rows("SELECT body FROM account_notes")] == ["words"]


@pytest.mark.parametrize("body", ["", "  ", "x" * 4_001, "\x00"])
def test_a_note_needs_words(app: Any, body: str) -> None:
    with pytest.raises(InvalidRequest):
        notes.add(new_id(), factories.make_person().account_id, body, actor="user:1")
