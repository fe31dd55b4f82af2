"""What pages print to be pasted, run as it is printed: each makes a call that is answered and charged."""

import subprocess
import sys
from pathlib import Path

import pytest

from reseller.web import snippets
from reseller.web.snippets import Snippet, Target
from tests.acceptance import npm
from tests.shop import SLUG, Customer, Shop

OPENAI_NODE = "7.57.0"
ANSWER = "The quick brown fox"
SECONDS = 60


@pytest.fixture
def customer(shop: Shop) -> Customer:
    return shop.customer()


@pytest.fixture
def to(customer: Customer) -> Target:
    return snippets.target(customer.shop.web.origin, model=SLUG, brand="Shop", key=customer.key)


def printed(command: list[str], folder: Path) -> str:
    """What the program prints."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_curl_line_is_answered(customer: Customer, to: Target, tmp_path: Path) -> None:
    answer = printed(["bash", "-c", snippets.curl(to).code], tmp_path)

    assert ANSWER in answer
    assert customer.row["status"] == "completed"
    assert customer.row["charge_nano"] > 0


@pytest.mark.parametrize("make", [snippets.openai_python, snippets.langchain], ids=["openai", "langchain"])
def test_the_python_texts_are_answered(customer: Customer, to: Target, tmp_path: Path, make: object) -> None:
    assert callable(make)
    snippet: Snippet = make(to)
    program = tmp_path / "hello.py"
    program.write_text(snippet.code)

    assert printed([sys.executable, str(program)], tmp_path).startswith(ANSWER)
    assert customer.row["charge_nano"] > 0


def test_the_node_text_is_answered(customer: Customer, to: Target, tmp_path: Path) -> None:
    package = npm.installed("openai", OPENAI_NODE, "package.json").parent
    (tmp_path / "node_modules").symlink_to(package.parent)
    (tmp_path / "hello.mjs").write_text(snippets.openai_node(to).code)

    assert printed([npm.node(), "hello.mjs"], tmp_path).startswith(ANSWER)
    assert customer.row["charge_nano"] > 0
