"""What goes upstream is rebuilt from its own lists, down to messages, parts and tools (R27); what is billed is counted (R6)."""

from decimal import Decimal
from typing import Any

import orjson
import pytest

from reseller.domain.pricing.ceiling import compile_tariff
from reseller.domain.pricing.rates import Rates
from reseller.errors import InvalidRequest
from reseller.gateway.call import Call
from reseller.gateway.rebuilding import CHAT, EMBEDDINGS


def sent(asked: dict[str, Any], path: str = CHAT) -> dict[str, Any]:
    body = Call.read(asked, path).upstream_body(model="a/b", output_cap=7, user="u", price_cap=None)
    read = orjson.loads(body)
    assert isinstance(read, dict)
    return read


def test_fields_hidden_in_messages_parts_and_tools_are_dropped() -> None:
    image = {"url": "https://example.com/a.png"}
    part = {"type": "text", "text": "hi", "image_url": image, "file": {"file_data": "x"}}
    message = {"role": "user", "content": [part], "images": [{"image_url": image}], "audio": {"id": "x"}, "plugins": [1]}
    tool = {"type": "function", "function": {"name": "f"}, "plugins": [{"id": "web"}]}

    body = sent({"model": "a/b", "messages": [message], "tools": [tool], "unknown": 1})

    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert "unknown" not in body


@pytest.mark.parametrize("url", ["data:application/pdf;base64,AAAA", "file:///etc/passwd", 3, None])
def test_only_images_go_as_images(url: Any) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}

    with pytest.raises(InvalidRequest):
        Call.read({"model": "a/b", "messages": [{"role": "user", "content": [part]}]}, CHAT)


@pytest.mark.parametrize("field", ["models", "plugins", "web_search_options", "provider", "prediction", "audio"])
def test_fields_that_change_the_bill_are_refused_by_name(field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Call.read({"model": "a/b", "messages": [{"role": "user", "content": "hi"}], field: ["x"]}, CHAT)

    assert refused.value.param == field


def test_every_text_of_an_embedding_may_use_the_whole_context() -> None:
    """R8: the bound on what can be believed grows with the number of texts; token ids are tokens, not bytes."""
    texts = Call.read({"model": "a/b", "input": ["one", "two", "three"]}, EMBEDDINGS)
    ids = Call.read({"model": "a/b", "input": [[1, 2, 3]] * 4}, EMBEDDINGS)
    flat = Call.read({"model": "a/b", "input": [1, 2, 3]}, EMBEDDINGS)

    assert (texts.inputs, ids.inputs, flat.inputs) == (3, 4, 1)
    assert ids.estimated_prompt_bytes == 3 * ids.size.tokens
    assert texts.estimated_prompt_bytes == texts.size.tokens


def test_a_model_that_searches_by_itself_is_held_for_a_search() -> None:
    """R6: the fee is in the hold although nobody can ask for a search."""
    plain = Rates(prompt=Decimal("0.000001"), completion=Decimal("0.000002"))
    searching = Rates(prompt=Decimal("0.000001"), completion=Decimal("0.000002"), web_search=Decimal("0.01"))
    asked = {"prompt_tokens": 10, "media_tokens": 0, "images": 0, "n": 1, "wants_image_output": False, "wants_audio": False}

    holds = [compile_tariff(r, markup_percent=Decimal(25), min_cost_nano=0).terms(**asked).hold_nano(100) for r in (plain, searching)]

    assert holds[1] - holds[0] == 12_500_000
