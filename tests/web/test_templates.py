"""Every template hangs on the one frame and holds nothing that the Content-Security-Policy would refuse (R37)."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[2] / "reseller"
FRAME = ROOT / "web/templates/web/document.html"
TEMPLATES = sorted(path for path in ROOT.rglob("templates/**/*.html") if path.parent.name != "letters")  # mail programs have no policy

REFUSED = {
    "inline style": re.compile(r"\sstyle\s*=|<style\b", re.IGNORECASE),
    "inline handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "inline script": re.compile(r"<script\b(?![^>]*\bsrc=)(?![^>]*application/json)", re.IGNORECASE),
    "address of another site": re.compile(r"(?:src|href|action)\s*=\s*[\"'](?:https?:)?//", re.IGNORECASE),
    "javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "switched off escaping": re.compile(r"[^\"'\s]\s*\|\s*safe\b|autoescape false"),  # a literal is ours
}


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", TEMPLATES, ids=_named)
def test_a_template_holds_nothing_that_the_policy_refuses(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)

    found = [what for what, pattern in REFUSED.items() if pattern.search(text)]

    assert not found, f"{_named(path)} has {', '.join(found)}: put it into a file under reseller/web/static"


def _only_defines(tree: nodes.Template) -> bool:
    """Whether the template shows nothing itself: macros for others."""
    defining = (nodes.Macro, nodes.Import, nodes.FromImport, nodes.Assign)
    return all(isinstance(node, defining) or not "".join(_shown(node)).strip() for node in tree.body)


def _shown(node: nodes.Node) -> list[str]:
    return [text.data for text in node.find_all(nodes.TemplateData)] if isinstance(node, nodes.Output) else ["?"]


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path != FRAME], ids=_named)
def test_a_page_extends_the_frame(path: Path) -> None:
    tree = Environment(autoescape=True).parse(path.read_text())

    is_page = not path.name.startswith("_") and not _only_defines(tree)  # an underscore: a part of pages

    assert not is_page or tree.find(nodes.Extends) is not None, (
        f"{_named(path)} extends nothing: begin with web/base.html or admin/base.html"
    )


@pytest.mark.parametrize("path", TEMPLATES, ids=_named)
def test_a_form_that_posts_carries_the_token(path: Path) -> None:
    """R25: the server refuses a form without it, so a page must not have one."""
    forms = re.findall(r"<form\b[^>]*method=[\"']post.*?</form>", path.read_text(), re.DOTALL | re.IGNORECASE)

    assert all("csrf" in form or "_sent(" in form for form in forms), f"{_named(path)} has a POST form without ui.csrf()"
