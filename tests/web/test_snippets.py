"""Texts to paste: whole, quoted for whoever reads them, and the same address everywhere."""

import ast
import json
import shlex
from dataclasses import replace

import pytest
from flask import Flask, render_template_string

from reseller.web import snippets
from reseller.web.snippets import PLACEHOLDER, Snippet, Target

EVIL = "a'b\"c$(touch x)`\n\\{}</script>é"
TO = snippets.target("https://shop.example/", model="acme/one", brand="Shop", key="sk_live_" + "a" * 49)


def every(to: Target) -> list[Snippet]:
    return [*snippets.programs(to), *snippets.tools(to)]


def words(snippet: Snippet) -> str:
    return "\n".join([snippet.code, *(value for _, value in snippet.fields)])


@pytest.mark.parametrize("snippet", every(TO), ids=lambda snippet: snippet.id)
def test_each_snippet_has_the_address_and_the_key(snippet: Snippet) -> None:
    assert "https://shop.example/v1" in words(snippet)
    assert TO.key in words(snippet)
    assert "openrouter" not in words(snippet).lower()


@pytest.mark.parametrize("snippet", every(snippets.target("https://shop.example", model="acme/one", brand="Shop")), ids=lambda s: s.id)
def test_without_a_key_its_place_is_marked(snippet: Snippet) -> None:
    assert PLACEHOLDER in words(snippet)
    assert "sk_" not in words(snippet)


def test_a_shell_takes_nothing_in_a_name_for_a_command() -> None:
    sent = shlex.split(snippets.curl(replace(TO, model=EVIL, key=EVIL)).code)

    assert sent[0] == "curl"
    assert sent[sent.index("-H") + 1] == f"Authorization: Bearer {EVIL}"
    assert json.loads(sent[-1])["model"] == EVIL


@pytest.mark.parametrize("make", [snippets.openai_python, snippets.langchain])
def test_python_reads_a_name_as_it_is_written(make: object) -> None:
    assert callable(make)
    tree = ast.parse(make(replace(TO, model=EVIL)).code)

    assert EVIL in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def test_the_name_of_the_brand_is_one_word_where_a_shell_reads_it() -> None:
    code = snippets.llm(replace(TO, brand="Müller & Söhne; rm -rf /")).code

    assert "llm keys set m-ller-s-hne-rm-rf --value" in code


def test_tabs_work_without_a_script_and_keep_text_text(dry_app: Flask) -> None:
    call = "{% import 'web/snippets.html' as snippets with context %}{{ snippets.tabs('first', list, 'Snippets') }}"
    with dry_app.test_request_context("/"):
        page = render_template_string(call, list=snippets.programs(replace(TO, model="<script>alert(1)</script>")))

    assert page.count('type="radio"') == 4
    assert page.count("checked") == 1
    assert "<script" not in page
