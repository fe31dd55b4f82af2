"""Every action of the audit log has its answer to: what does a restore do about one that its backup does not know?"""

import ast

from reseller.domain.journal.kinds import LISTED, PASSED_OVER, REPLAYED, is_among
from reseller.domain.journal.replaying import AGAIN
from tests.house.source import files, short, tree

ELSEWHERE = {"user.create", "user.register_anew", "account.grant_trial_credit", "account.suspend", "account.restore"}
"""Actions whose names are put together, or come by a name."""


def actions() -> dict[str, str]:
    """Every action that some verb records, by where. Of a name put together from parts the part before the first gap."""
    found = {}
    for path in files("reseller"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)) and len(node.args) > 1:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name in ("record", "_record"):
                    for argument in node.args[:2]:
                        found |= {action: f"{short(path)}:{node.lineno}" for action in _named(argument)}
    return found


def _named(argument: ast.expr) -> list[str]:
    if isinstance(argument, ast.IfExp):
        return [*_named(argument.body), *_named(argument.orelse)]
    if isinstance(argument, ast.JoinedStr) and argument.values and isinstance(argument.values[0], ast.Constant):
        return [str(argument.values[0].value)] if "." in str(argument.values[0].value) else []
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        is_action = argument.value.count(".") == 1 and argument.value.replace(".", "").replace("_", "").isalpha()
        return [argument.value] if is_action else []
    return []


def test_every_action_is_replayed_or_listed_or_passed_over() -> None:
    """R35: a new verb that revokes something cannot be forgotten by a restore."""
    found = actions() | dict.fromkeys(ELSEWHERE, "by name")
    known = REPLAYED | LISTED | PASSED_OVER

    unsorted_ = {
        action: where
        for action, where in found.items()
        if not is_among(action, known) and not (action.endswith(".") and any(each.startswith(action) for each in known))
    }

    assert len(found) > 45
    assert not unsorted_, f"Say in reseller/domain/journal/kinds.py what a restore does about it: {unsorted_}"


def test_no_action_is_sorted_twice_and_each_that_is_replayed_has_its_verb() -> None:
    assert not REPLAYED & LISTED
    assert not (REPLAYED | LISTED) & PASSED_OVER
    assert set(AGAIN) == REPLAYED
