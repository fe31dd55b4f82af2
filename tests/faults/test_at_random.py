"""The short version of `python -m tests.faults`: everything at once, for a minute and a half."""

from pathlib import Path

import pytest

from tests.faults.at_random import Plan, run

SECONDS, SEED = 90, 20


@pytest.mark.timeout(600)
def test_whatever_is_done_and_whatever_fails_the_books_are_right_at_every_second_and_in_the_end(tmp_path: Path) -> None:
    """R1, R3, R4, R10, R11, R13, R17, R19, R22, R39. To see one again: python -m tests.faults --minutes 1.5 --seed 20."""
    outcome = run(tmp_path, Plan(minutes=SECONDS / 60, seed=SEED), print)

    assert outcome.problems == []
    assert outcome.found.charged_calls > 0
    assert {"top-up", "adjustment", "revocation"} <= set(outcome.dealings.done)
