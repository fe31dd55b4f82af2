"""Nothing is documented that does not run: samples are sent to a running shop, links are followed, figures are those in force."""

import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from flask import Flask

from reseller.clients.sandbox import SCENARIOS
from reseller.domain.limits import DEFAULT_LIMITS
from reseller.portal.docs import samples
from reseller.portal.docs.code_spans import pieces
from reseller.web import snippets
from reseller.web.api_description import api_description
from reseller.web.snippets import PLACEHOLDER
from tests import factories
from tests.shop import Answer, Shop

PUBLIC = ("/", "/docs", "/docs/reference", "/prices", "/prices/sandbox/echo")
RUNS = re.compile(r'<div class="runs" data-answers="(\d+)">.*?<code>(.*?)</code>', re.DOTALL)


def page(shop: Shop, path: str) -> str:
    answer = shop.call(path, headers={"Host": f"localhost:{shop.web.port}"})
    assert answer.status == 200, (path, answer.status)
    return answer.body.decode()


def run(shop: Shop, code: str, key: str) -> Answer:
    """What a terminal would send for this text, with a real key in its place."""
    words = iter(shlex.split(code.replace("\\\n", " ").replace(PLACEHOLDER, key)))
    assert next(words) == "curl"
    path, headers, body = "", {}, None
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words).encode()
        elif word != "-N":
            parts = urlsplit(word)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
    return shop.call(path, body, headers=headers)


def test_every_sample_of_the_guide_is_answered_as_it_says(shop: Shop) -> None:
    key = shop.customer(is_test=True).key
    shown = [(int(status), html.unescape(code)) for status, code in RUNS.findall(page(shop, "/docs"))]

    answers = [(code, status, run(shop, code, key)) for status, code in shown]

    assert len(shown) == len(samples.all_samples(snippets.target("http://x", model="m", brand="b")))
    assert [(code, answer.status) for code, _, answer in answers] == [(code, status) for code, status, _ in answers]


def test_the_quickstart_s_curl_is_answered_and_charged_to_a_live_key(shop: Shop) -> None:
    customer = shop.customer()
    first = re.search(r'<pre class="code"[^>]*><code>(curl.*?)</code>', page(shop, "/docs"), re.DOTALL)
    assert first

    answer = run(shop, html.unescape(first[1]), customer.key)

    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"]
    assert customer.row["status"] == "completed"


def test_the_address_in_samples_is_the_public_one(app: Flask) -> None:
    shown = app.test_client().get("/docs", headers={"X-Forwarded-Host": "evil.example"}).get_data(as_text=True)

    assert "http://localhost:8000/v1" in shown
    assert "evil.example" not in shown


def links(text: str) -> Iterator[str]:
    for href in re.findall(r'<a\b[^>]*\shref="([^"]+)"', text):
        if not href.startswith("mailto:"):
            yield html.unescape(href)


def test_every_link_of_public_pages_leads_somewhere(shop: Shop) -> None:
    texts = {path: page(shop, path) for path in PUBLIC}
    asked: dict[str, int] = {}
    dead = []
    for here, text in texts.items():
        for href in set(links(text)):
            path, _, anchor = href.partition("#")
            target = here if not path or path.startswith("?") else path
            if target.startswith("/prices/") and target not in texts:
                continue  # one model is like another
            if target not in asked:
                asked[target] = shop.call(target, headers={"Host": f"localhost:{shop.web.port}"}).status
            if asked[target] not in (200, 302, 304):
                dead.append(f"{here}: {href} → {asked[target]}")
            if anchor and target in texts and f'id="{anchor}"' not in texts[target]:
                dead.append(f"{here}: {href} names nothing")

    assert not dead
    assert {"/docs", "/docs/reference", "/prices", "/v1/openapi.json"} <= set(asked)


@pytest.mark.parametrize("path", PUBLIC)
def test_ids_are_used_once(shop: Shop, path: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page(shop, path))

    assert len(ids) == len(set(ids))


def test_every_error_limit_header_and_scenario_is_in_the_guide(app: Flask) -> None:
    text = html.unescape(app.test_client().get("/docs").get_data(as_text=True))
    described = api_description()

    for line in described["x-errors"]:
        assert f'id="error-{line["status"]}-{line["code"]}"' in text
        assert line["means"].split("`")[0] in text
    for line in described["x-limits"]:
        assert f"<td>{line['limit']}</td>" in text, line
    for name in described["components"]["headers"]:
        assert f"<dt><code>{name}</code>" in text
    assert all(f"x-sandbox-scenario: {name}" in text for name in SCENARIOS)
    assert set(samples.SCENARIOS) == set(SCENARIOS)


def test_limits_are_those_of_a_new_account(app: Flask) -> None:
    """The figures come from where they are held."""
    client, key = app.test_client(), factories.make_key(factories.make_person())

    told = {line["what"]: line["limit"] for line in api_description()["x-limits"]}
    real = client.get("/v1/key", headers={"Authorization": f"Bearer {key}"}).json

    assert real
    for name in DEFAULT_LIMITS:
        assert told[f"Calls in any {name}"] == f"{real['data']['rate_limits'][name]['limit']:,}"
    assert told["Calls in flight at once"] == str(real["data"]["rate_limits"]["concurrent_requests"])


@pytest.mark.parametrize("path", ["/docs", "/docs/reference"])
def test_docs_name_no_supplier_and_promise_nothing_that_is_not_there(app: Flask, path: str) -> None:
    """R28."""
    text = app.test_client().get(path).get_data(as_text=True).lower()

    assert "openrouter" not in text
    assert "idempotency" not in text
    assert app.test_client().get(path, headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", [(False, "plain")]),
        ("a `b` c", [(False, "a "), (True, "b"), (False, " c")]),
        ("`a``b`", [(True, "a"), (True, "b")]),
        ("one ` alone", [(False, "one ` alone")]),
        ("`a` and ` alone", [(True, "a"), (False, " and ` alone")]),
        ("", []),
    ],
)
def test_code_in_descriptions_is_told_from_text(text: str, parts: list[tuple[bool, str]]) -> None:
    assert pieces(text) == parts


def test_samples_quote_what_a_shell_would_read_otherwise() -> None:
    to = snippets.target("https://shop.example", model="a'; touch x; '", brand="Shop")

    sent = shlex.split(samples.all_samples(to)["stream"].code)

    assert json.loads(sent[-1])["model"] == "a'; touch x; '"
