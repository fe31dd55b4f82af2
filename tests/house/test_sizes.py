"""Rooms a reader can take in at a glance, and names that say what is inside."""

import ast

import pytest

from tests.house.source import files, functions, short, tree

MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS, MAX_NESTING = 300, 60, 6, 4
GRAB_BAGS = ("util", "utils", "helper", "helpers", "common", "misc", "manager", "service", "services", "tools", "info", "data")

MANY_PARAMETERS = {
    "record": "an audit row has that many facts",
    "mint": "what a key can be made with",
}


def test_files_are_short() -> None:
    long = {
        short(p): n
        for p in files("reseller", "config", "migrations")
        if (n := len(p.read_text(encoding="utf-8").splitlines())) > MAX_FILE_LINES
    }

    assert not long, f"Make it a folder with the same public face: {long}"


def test_functions_are_short() -> None:
    long = [
        f"{short(path)}:{f.name}"
        for path in files("reseller", "config")
        for f in functions(path)
        if (f.end_lineno or 0) - f.lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert not long, f"A function over {MAX_FUNCTION_LINES} lines tells more than one story: {long}"


def test_parameters_are_few() -> None:
    over = []
    for path in files("reseller", "config"):
        for f in functions(path):
            names = [a.arg for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs) if a.arg not in ("self", "cls")]
            if len(names) > MAX_PARAMETERS:
                over.append((f.name, f"{short(path)}:{f.name} {len(names)}"))
    many = [where for name, where in over if name not in MANY_PARAMETERS]

    assert {name for name, _ in over} >= set(MANY_PARAMETERS), "A reason in MANY_PARAMETERS is needed no more: take it out"
    assert not many, f"More than {MAX_PARAMETERS} parameters want a frozen dataclass, or a reason in MANY_PARAMETERS: {many}"


def _depth(node: ast.AST, level: int = 0) -> int:
    nested = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
    deepest = level
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and child in node.orelse
        deepest = max(deepest, _depth(child, level + (isinstance(child, nested) and not is_elif)))
    return deepest


def test_nesting_is_shallow() -> None:
    deep = [
        f"{short(path)}:{f.name} {d}" for path in files("reseller", "config") for f in functions(path) if (d := _depth(f)) > MAX_NESTING
    ]

    assert not deep, f"Turn the inside of the loop into a function with a name: {deep}"


def test_no_room_is_a_grab_bag() -> None:
    bags = [short(p) for p in files("reseller", "config", "tests") if p.stem in GRAB_BAGS or p.parent.name in GRAB_BAGS]

    assert not bags, f"Name it by what is inside: {bags}"


@pytest.mark.parametrize("folder", ["reseller", "config"])
def test_every_module_says_what_it_is(folder: str) -> None:
    silent = [short(path) for path in files(folder) if not ast.get_docstring(tree(path))]

    assert not silent, f"Begin with what the module is, what it is not, and who may write its tables: {silent}"


def test_money_has_no_floats() -> None:
    """R16: no float touches money. Figures for graphs are the exception: the one in `allowed`, and those of `probes/`."""
    allowed = {("reseller/gateway/going.py", "_ended")}
    floats = []
    for path in files("reseller/domain", "reseller/gateway") + [p for p in files("reseller") if p.name in ("money.py", "metering.py")]:
        for f in functions(path):
            if (short(path), f.name) in allowed:
                continue
            floats += [f"{short(path)}:{n.lineno}" for n in ast.walk(f) if _is_money_float(n)]

    assert not floats, f"Money is Decimal dollars or integer nano-dollars: {floats}"


def _is_money_float(node: ast.AST) -> bool:
    """Arithmetic of a name of money with a float, a true division of one, or float() of one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
        return any(_is_money(inner) for argument in node.args for inner in ast.walk(argument))
    if not isinstance(node, ast.BinOp):
        return False
    has_money = _is_money(node.left) or _is_money(node.right)
    has_float = any(isinstance(side, ast.Constant) and isinstance(side.value, float) for side in (node.left, node.right))
    return has_money and (has_float or isinstance(node.op, ast.Div))


def _is_money(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.endswith(("_nano", "_usd")) or name in ("settled", "held", "charge", "cost")


def test_only_clock_reads_clocks() -> None:
    """R39: one place decides which clock is read."""
    wrong = []
    for path in files("reseller"):
        if path.name == "clock.py":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                called = f"{node.value.id}.{node.attr}"
                if called in ("time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "date.today", "time.time_ns"):
                    wrong.append(f"{short(path)}:{node.lineno} {called}")

    assert not wrong, f"Read clocks through reseller.clock: {wrong}"
