"""Rules about the tests themselves."""

import ast
from collections.abc import Iterator

from tests.house.source import files, short, tree

OF_THE_MOMENT = ("new_id", "uuid4", "now", "token_hex", "token_urlsafe", "randint", "random")


def _drawn(node: ast.AST, known: set[str]) -> Iterator[str]:
    """Calls inside that answer differently each time, and names that hold such answers; a dict is named by its place."""
    if isinstance(node, ast.Dict | ast.Lambda):
        return
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in OF_THE_MOMENT:
            yield name
    elif isinstance(node, ast.Name) and node.id in known:
        yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _drawn(child, known)


def test_cases_have_the_same_names_in_every_process() -> None:
    """The processes that share the suite collect it each for themselves, and refuse to go on if their lists differ."""
    wrong = []
    for path in files("tests"):
        module = tree(path)
        assigned = [node for node in module.body if isinstance(node, ast.Assign)]
        known = {
            target.id for node in assigned if any(_drawn(node.value, set())) for target in node.targets if isinstance(target, ast.Name)
        }
        for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
            for decorator in function.decorator_list:
                is_named = isinstance(decorator, ast.Call) and any(
                    keyword.arg == "ids" and isinstance(keyword.value, ast.List) for keyword in decorator.keywords
                )
                if "parametrize" in ast.unparse(decorator) and not is_named and any(_drawn(decorator, known)):
                    wrong.append(f"{short(path)}:{decorator.lineno}")

    assert not wrong, f"Draw ids and instants inside the test, or name the cases with ids=[…]: {wrong}"
