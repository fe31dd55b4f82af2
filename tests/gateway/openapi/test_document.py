"""The description says what the API is: the same routes, the same fields, the same errors, our address and nobody else's name."""

import re
from typing import Any

import orjson
import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from config import Settings
from reseller import errors
from reseller.errors import InvalidRequest
from reseller.gateway import call, headers
from reseller.gateway import errors as fates
from reseller.gateway.call import Call
from reseller.gateway.openapi import document, failures, requests, samples
from reseller.gateway.rebuilding import CHAT, COMPLETIONS, EMBEDDINGS, PASSED
from tests.deployment import settings_over
from tests.house.source import files
from tests.house.test_rules import leaves, made


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return document(settings_of(tmp_path_factory.mktemp("described")))


def settings_of(folder: Any, **environ: str) -> Settings:
    return settings_over("postgresql://nobody/nothing", folder, **environ)


def test_it_is_openapi(described: dict[str, Any]) -> None:
    validate(described)


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_it_has_every_route_of_the_api_and_no_other(app: Flask, described: dict[str, Any], prefix: str) -> None:
    """R24: a route that nobody describes fails here."""
    real = {
        (re.sub(r"<path:\w+>", "{id}", rule.rule.removeprefix(prefix)), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(f"{prefix}/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    told = {(path, method) for path, methods in described["paths"].items() for method in methods}

    assert told == real
    assert len({operation["operationId"] for methods in described["paths"].values() for operation in methods.values()}) == len(told)


def test_every_error_of_the_api_has_its_line_with_the_status_it_is_answered_with(described: dict[str, Any]) -> None:
    told = {(line["code"], line["status"]) for line in described["x-errors"]}

    for kind in leaves(errors.Refusal):
        if kind in failures.FOREIGN_TO_THE_API or kind is errors.UpstreamRejected or kind.__module__ != errors.__name__:
            continue
        assert kind in failures.WORDS, f"Say in reseller/gateway/openapi/failures.py what {kind.__name__} means and what to do"
        if not issubclass(kind, errors.UpstreamFailure):
            assert failures.statuses_of(kind) == (fates.fate_of(made(kind))[0],)
        assert all((kind.code, status) in told for status in failures.statuses_of(kind)), kind
    assert {status for _, status in told} == {int(s) for s in statuses_in(described)} - {200}


def statuses_in(described: dict[str, Any]) -> set[str]:
    return {status for methods in described["paths"].values() for operation in methods.values() for status in operation["responses"]}


def test_what_sdks_send_again_is_what_the_answers_tell_them(described: dict[str, Any]) -> None:
    retried = {line["code"]: line["sdk_retries"] for line in described["x-errors"]}

    for kind in (errors.InvalidKey, errors.AccountSuspended, errors.RateLimited, errors.Unavailable):
        answer = fates.response_of(made(kind))
        tries_again = answer.headers.get("x-should-retry") != "false" and (answer.status_code >= 500 or answer.status_code == 429)
        assert retried[kind.code] is tries_again, kind
    assert not retried["insufficient_credits"]
    assert retried["upstream_timeout"]


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, EMBEDDINGS])
def test_a_body_has_the_fields_that_pass_those_that_we_read_and_those_that_are_refused(described: dict[str, Any], path: str) -> None:
    """R27."""
    fields = described["components"]["schemas"][requests.NAMES[path]]["properties"]

    refused = {name for name, schema in fields.items() if schema.get("x-refused")}
    assert refused == set(call.REFUSED)
    assert set(fields) - refused == set(requests.known_fields(path)) >= PASSED[path]
    assert requests.known_fields(path)[0] == "model"


@pytest.mark.parametrize("name", sorted(call.REFUSED))
def test_what_it_says_is_refused_is_refused(described: dict[str, Any], name: str) -> None:
    """R27."""
    body = dict(requests.EXAMPLES[CHAT])
    schema = validator(described, "ChatRequest")

    for value in requests.NOTHING:
        assert schema.is_valid({**body, name: value})
        Call.read({**body, name: value}, CHAT)
    assert not schema.is_valid({**body, name: {"some": "thing"}})
    with pytest.raises(InvalidRequest):
        Call.read({**body, name: {"some": "thing"}}, CHAT)


TEXT_PART, IMAGE_PART = {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://a/b"}}
CHANGES: list[dict[str, Any]] = [
    {}, {"model": ""}, {"model": "a" * 200}, {"model": "a" * 201}, {"model": 3}, {"messages": []}, {"messages": None}, {"messages": "x"},
    {"messages": [{"role": "user"}]}, {"messages": [{"content": "x"}]}, {"messages": ["x"]}, {"messages": [{"role": 1, "content": "x"}]},
    {"messages": [{"role": "user", "content": 3}]}, {"messages": [{"role": "user", "content": [TEXT_PART, IMAGE_PART]}]},
    {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "ftp://x"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,x"}]}]},
    {"messages": [{"role": "user", "content": "x"}] * 2000}, {"messages": [{"role": "user", "content": "x"}] * 2001},
    {"n": 1}, {"n": 0}, {"n": 16}, {"n": 17}, {"n": 1.5}, {"n": None}, {"n": True}, {"max_tokens": 0}, {"max_tokens": 10_000_000},
    {"max_tokens": 10_000_001}, {"max_completion_tokens": "5"}, {"max_completion_tokens": None}, {"stream": "yes"}, {"stream": None},
    {"stream_options": []}, {"stream_options": {}}, {"service_tier": "flex"}, {"service_tier": "auto"}, {"modalities": ["audio"]},
    {"modalities": ["text"]}, {"tools": {}}, {"tools": []}, {"tools": None}, {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"tools": [{"type": "web_search"}]}, {"user": 3}, {"temperature": "warm"}, {"unknown": [1]},
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_the_schema_of_a_chat_and_its_checks_agree(described: dict[str, Any], number: int) -> None:
    """The document is written from the tables of the checks; where it repeats one in other words, this holds the two together."""
    body = {**requests.EXAMPLES[CHAT], **CHANGES[number]}

    try:
        Call.read(body, CHAT)
        is_taken = True
    except InvalidRequest:
        is_taken = False

    assert validator(described, "ChatRequest").is_valid(body) is is_taken, CHANGES[number]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (COMPLETIONS, "x"), (COMPLETIONS, ["x"]), (COMPLETIONS, ["x", "y"]), (COMPLETIONS, []), (COMPLETIONS, 3), (COMPLETIONS, None),
        (EMBEDDINGS, "x"), (EMBEDDINGS, ""), (EMBEDDINGS, ["x", "y"]), (EMBEDDINGS, []), (EMBEDDINGS, [1, 2]), (EMBEDDINGS, [-1]),
        (EMBEDDINGS, [[1], [2]]), (EMBEDDINGS, [[]]), (EMBEDDINGS, ["x", 1]), (EMBEDDINGS, {"a": 1}),
    ],
)  # fmt: skip
def test_the_schemas_of_other_inputs_and_their_checks_agree(described: dict[str, Any], path: str, value: Any) -> None:
    body = {**requests.EXAMPLES[path], requests.NEEDED[path]: value}

    try:
        Call.read(body, path)
        is_taken = True
    except InvalidRequest:
        is_taken = False

    assert validator(described, requests.NAMES[path]).is_valid(body) is is_taken


@pytest.mark.parametrize("name", sorted(samples._SAMPLES))  # noqa: SLF001 - every example there is
def test_examples_are_what_their_schema_says(described: dict[str, Any], name: str) -> None:
    validator(described, name).validate(samples.sample_of(name))


def validator(described: dict[str, Any], schema: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": described["components"]})


def test_every_parameter_that_is_read_is_described(described: dict[str, Any]) -> None:
    read = {
        name for path in files("reseller/gateway") for name in re.findall(r"""(?:args\.get\(|_day\(request, )"(\w+)\"""", path.read_text())
    }

    told = {
        parameter["name"]
        for methods in described["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    }

    assert told == read


def test_its_headers_are_those_that_answers_expose(described: dict[str, Any]) -> None:
    assert set(headers.EXPOSED.split(", ")) == set(described["components"]["headers"]) - {"etag", "www-authenticate"}


def test_addresses_come_from_the_public_url_and_the_title_from_the_brand(tmp_path: Any) -> None:
    settings = settings_of(
        tmp_path, PUBLIC_URL="https://api.acme.example", BRAND_NAME="Acme & Söhne", BRAND_SUPPORT_EMAIL="help@acme.example"
    )

    made_ = document(settings)

    validate(made_)
    assert [server["url"] for server in made_["servers"]] == ["https://api.acme.example/v1", "https://api.acme.example/api/v1"]
    assert made_["info"]["title"] == "Acme & Söhne API"
    assert set(re.findall(r"https?://[^/\"\s]+", orjson.dumps(made_["info"] | {"paths": made_["paths"]}).decode())) <= {
        "https://",
        "http://",
    }
    assert "Reseller" not in str(made_)


def test_it_does_not_name_the_supplier(described: dict[str, Any]) -> None:
    """R28."""
    assert "openrouter" not in str(described).lower()


def test_anybody_may_read_it_whatever_host_they_name_and_keep_it(app: Flask) -> None:
    client = app.test_client()

    answer = client.get("/v1/openapi.json", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    other = client.get("/api/v1/openapi.json/")
    again = client.get("/v1/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})

    assert (answer.status_code, other.data, again.status_code, again.data) == (200, answer.data, 304, b"")
    assert b"evil.example" not in answer.data
    assert "max-age" in answer.headers["Cache-Control"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json is not None
