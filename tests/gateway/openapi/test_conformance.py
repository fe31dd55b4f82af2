"""A running server is asked what its description promises, with requests that fit it and requests that do not.

Whatever is sent, no answer is a failure of ours, and status, headers, type and body of every answer are as described.
"""

import json
from typing import Any

import hypothesis
import pytest
import schemathesis.openapi
from hypothesis import strategies
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from reseller.gateway.openapi.operations import OPERATIONS
from reseller.gateway.openapi.samples import STREAMS, sample_of
from tests.shop import SLUG, Customer, Shop

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
EXAMPLES = 12
MODELS = {"/embeddings": "openai/text-embedding-3-small"}
ROUTES = [(operation.method, operation.path) for operation in OPERATIONS]


@pytest.fixture(scope="module")
def buyer(shop: Shop) -> Customer:
    customer = shop.customer(usd="1000", limits=False)
    assert customer.chat().status == 200
    return customer


def operation_of(customer: Customer, method: str, path: str) -> Any:
    """As a client sees it: from the document that the server hands out."""
    schema = schemathesis.openapi.from_dict(customer.call("/v1/openapi.json").json)
    return schema[path][method.upper()]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
def test_every_answer_is_as_described(buyer: Customer, method: str, path: str, mode: GenerationMode) -> None:
    operation = operation_of(buyer, method, path)
    has_input = operation.body or operation.query or operation.path_parameters or operation.headers
    if mode is GenerationMode.NEGATIVE and not has_input:
        return  # there is nothing about it that could not fit

    @hypothesis.seed(20261126)
    @hypothesis.settings(
        max_examples=EXAMPLES, database=None, phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), is_for_sale=strategies.booleans())
    def ask(case: Case, is_for_sale: bool) -> None:
        if is_for_sale and isinstance(case.body, dict) and "model" in case.body:
            case.body["model"] = MODELS.get(path, SLUG)
        case.call_and_validate(
            base_url=f"{buyer.shop.web.origin}/v1", headers={"Authorization": f"Bearer {buyer.key}"}, checks=CHECKS
        )  # fmt: skip

    ask()


@pytest.mark.parametrize(
    ("path", "kind", "asked"),
    [
        ("/v1/chat/completions", "Chat", {"messages": [{"role": "user", "content": "Hello!"}]}),
        ("/v1/completions", "Completion", {"prompt": "Hello!"}),
    ],
)
def test_samples_look_like_the_answers_that_they_stand_for(buyer: Customer, path: str, kind: str, asked: dict[str, Any]) -> None:
    sample, event = sample_of(f"{kind}Answer"), next(frame for frame in STREAMS[f"{kind}Event"].split("\n\n"))
    shown = json.loads(event.removeprefix("data: "))

    whole = buyer.call(path, {"model": SLUG, **asked}).json
    frames = buyer.call(path, {"model": SLUG, "stream": True, **asked}).frames
    first = next(frame for frame in frames if isinstance(frame, dict) and frame.get("choices"))

    for real, told in ((whole, sample), (first, shown)):
        assert told["object"] == real["object"]
        assert told["id"].partition("-")[0] == real["id"].partition("-")[0]
        assert set(told["choices"][0]) - {"logprobs"} <= set(real["choices"][0])
