"""`flask usage`: sums are brought up to date and proved."""

from flask import Flask

from reseller.clock import new_id, now
from tests.domain import scenes
from tests.domain.usage import calls


def test_sums_are_made_and_proved(app: Flask) -> None:
    calls.write([calls.row(now(), new_id())])
    runner = app.test_cli_runner()

    before = runner.invoke(args=["usage", "verify"])
    made = runner.invoke(args=["usage", "roll-up", "--json"])
    after = runner.invoke(args=["usage", "verify"])

    assert before.exit_code == 1
    assert "1 quarter-hours differ" in before.output
    assert made.output == '{"quarters":1}\n'
    assert (after.exit_code, after.output) == (0, "all sums agree with the calls\n")


def test_a_sum_that_was_changed_by_hand_is_named(app: Flask) -> None:
    calls.write([calls.row(now(), new_id())])
    runner = app.test_cli_runner()
    runner.invoke(args=["usage", "roll-up"])

    scenes.execute("UPDATE usage_hours SET charge_nano = charge_nano - 1")
    said = runner.invoke(args=["usage", "verify", "--json"])

    assert said.exit_code == 1
    assert "differences" in said.output
