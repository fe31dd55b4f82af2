"""Whatever the code logs as an error is an alarm, and somebody is told what it means and what to do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from reseller.domain.payments.suspense import Why
from tests.house.source import ROOT, files, short, tree

SOUNDS = ("alarms.sound", "alarms.note", "alarms.hold")
LOUD = ("error", "critical", "exception")
EXPLAINED = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "config/observe/runbook.md"))
ROW = re.compile(r"^\| ((?:`[^`]+`[ ,]*)+)", re.MULTILINE)


def loud_lines(path: Path) -> Iterator[ast.Call]:
    """Calls of `log.error` and its like."""
    for node in ast.walk(tree(path)):
        is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOUD
        if is_method and ast.unparse(node.func.value) in ("log", "self.log"):
            yield node


def alarms_in(path: Path) -> set[str]:
    """Names that this file gives to alarms."""
    names = set()
    for call in loud_lines(path):
        first = call.args[0]
        if isinstance(first, ast.Constant) and first.value != "alarm":
            names.add(first.value)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in SOUNDS:
            names |= {inner.value for inner in ast.walk(node.args[0]) if isinstance(inner, ast.Constant) and inner.value}
        if isinstance(node, ast.keyword) and node.arg == "alarm":
            names |= {inner.value for inner in ast.walk(node.value) if isinstance(inner, ast.Constant) and inner.value}
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("alarm", "alarms"):
            names |= {inner.value for inner in ast.walk(node.value) if isinstance(inner, ast.Constant) and isinstance(inner.value, str)}
    return {name for name in names if isinstance(name, str)} - {"alarm", "payment_"}


def explained() -> set[str]:
    """Names in the first column of a table of README or the runbook."""
    return {name for row in ROW.findall(EXPLAINED) for name in re.findall(r"`([^`]+)`", row)}


def test_the_name_of_an_error_line_is_in_the_code() -> None:
    """It becomes a label of a metric, which must be of a bounded set, and people look for it in the runbook."""
    wrong = [
        f"{short(path)}:{call.lineno}"
        for path in files("reseller", "config")
        for call in loud_lines(path)
        if not (call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str))
    ]

    assert not wrong, f"Give the event a name of its own and put what varies into fields: {wrong}"


def test_every_alarm_is_explained() -> None:
    raised = {name for path in files("reseller", "config") for name in alarms_in(path)} | {f"payment_{why}" for why in Why}
    wildcards = tuple(name.rstrip("…") for name in explained() if name.endswith("…"))

    missing = sorted(name for name in raised - explained() if not name.startswith(wildcards))

    assert len(raised) > 30
    assert not missing, f"Say in README's Watching or in config/observe/runbook.md what they mean and what to do: {missing}"


def test_alarms_are_logged_under_that_name_by_those_who_count_them() -> None:
    """Lines with a name of their own are counted by the log itself; see `metrics.count_error`."""
    counted = ("reseller/alarms.py", "reseller/domain/alarms/keeping.py", "reseller/callbacks.py")  # the last logs once for many
    wrong = [
        short(path)
        for path in files("reseller")
        for call in loud_lines(path)
        if call.args and ast.unparse(call.args[0]) == "'alarm'" and short(path) not in counted
    ]

    assert not wrong, f"Use alarms.sound, which counts it, too: {wrong}"
