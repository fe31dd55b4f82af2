"""Every status and shape of an upstream's refusal becomes our own word, and never tells who the supplier is (R28)."""

from datetime import timedelta
from email.utils import format_datetime

import orjson
import pytest

from reseller.clients.failures import cleaned, failure_inside, failure_of
from reseller.clock import now
from reseller.errors import ContentRefused, Refusal, UpstreamBusy, UpstreamDown, UpstreamFailure, UpstreamRejected, UpstreamTimeout
from tests.clients.conftest import sample


def envelope(**error: object) -> bytes:
    return orjson.dumps({"error": error})


def rejected(status: int, body: bytes) -> UpstreamRejected:
    failure = failure_of(status, body)
    assert isinstance(failure, UpstreamRejected)
    return failure


@pytest.mark.parametrize(
    ("status", "kind", "ours", "alarm"),
    [
        (401, UpstreamDown, 503, "upstream_key_refused"),
        (402, UpstreamDown, 503, "upstream_out_of_credit"),
        (403, UpstreamDown, 503, "upstream_forbade"),
        (404, UpstreamRejected, 404, None),
        (408, UpstreamTimeout, 504, None),
        (410, UpstreamRejected, 404, None),
        (413, UpstreamRejected, 413, None),
        (418, UpstreamDown, 502, "upstream_unexpected_status"),
        (422, UpstreamRejected, 422, None),
        (429, UpstreamBusy, 503, "upstream_rate_limited"),
        (500, UpstreamDown, 502, None),
        (502, UpstreamDown, 502, None),
        (503, UpstreamBusy, 503, None),
        (504, UpstreamTimeout, 504, None),
        (524, UpstreamTimeout, 504, None),
        (529, UpstreamBusy, 503, None),
        (301, UpstreamDown, 502, "upstream_redirected"),
        (307, UpstreamDown, 502, "upstream_redirected"),
    ],
)
def test_each_status_has_our_own_word(status: int, kind: type[UpstreamFailure], ours: int, alarm: str | None) -> None:
    failure = failure_of(status, envelope(code=status, message="Add credits at https://openrouter.ai/settings"))

    assert type(failure) is kind
    assert isinstance(failure, UpstreamFailure)
    assert (failure.status, failure.alarm) == (ours, alarm)
    assert "openrouter" not in failure.message.lower()


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 408, 413, 418, 422, 429, 500, 502, 503, 529, 599])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"null", b"[]", b'"x"', b"{}", b'{"error":null}', b'{"error":[]}', b'{"error":{}}', b'{"error":"OpenRouter fell"}',
        b'{"error":{"code":true,"message":7,"metadata":[],"availability":3,"error_type":{}}}', b"[" * 50_000,
        b'{"error":{"metadata":{"reasons":{},"provider_name":[],"raw":"{"}}}',
        b'{"error":{"message":"Provider returned error","metadata":{"raw":"[[["}}}',
    ],
)  # fmt: skip
def test_any_body_makes_a_refusal_with_words(status: int, body: bytes) -> None:
    failure = failure_of(status, body)

    assert isinstance(failure, Refusal)
    assert failure.message
    assert "openrouter" not in failure.message.lower()


def test_moderation_is_told_with_its_reasons_and_without_the_provider() -> None:
    failure = failure_of(403, sample("error_moderation.json"))

    assert isinstance(failure, ContentRefused)
    assert "violence, self-harm" in failure.message
    assert "OpenAI" not in failure.message


def test_a_region_is_a_refusal_of_the_request() -> None:
    assert isinstance(failure_of(403, envelope(code=403, message="x", metadata={"error_type": "region_restricted"})), ContentRefused)


def test_the_key_limit_of_our_own_account_is_not_the_customers_fault() -> None:
    """R28: a 403 that is not about content or region is the operator's trouble."""
    failure = failure_of(403, envelope(code=403, message="Key limit exceeded", metadata={"error_type": "permission_denied"}))

    assert isinstance(failure, UpstreamDown)
    assert (failure.status, failure.alarm) == (503, "upstream_forbade")


def test_availability_decides_by_retryable_and_not_by_the_status() -> None:
    failure = failure_of(404, sample("error_availability.json"))

    assert isinstance(failure, UpstreamBusy)
    assert failure.retry_after_seconds == 12


def test_a_missing_path_is_the_operators_mistake() -> None:
    failure = failure_of(404, b"<html>Not Found</html>")

    assert isinstance(failure, UpstreamDown)
    assert failure.alarm == "upstream_path_missing"


def test_the_providers_own_words_pass_clean() -> None:
    failure = rejected(400, sample("error_provider_raw.json"))

    assert failure.code == "context_length_exceeded"
    assert "maximum context length is 8192 tokens" in failure.message
    for secret in ("ovita", "OpenRouter", "sk-or", "http", ".ai"):
        assert secret not in failure.message


@pytest.mark.parametrize(
    ("error", "code", "param"),
    [
        ({"message": "x", "metadata": {"error_type": "context_length_exceeded"}}, "context_length_exceeded", None),
        ({"message": "x", "error_type": "invalid_prompt", "http_status": 400}, "invalid_prompt", None),
        ({"message": "x", "code": "unsupported_parameter", "param": "temperature"}, "unsupported_parameter", "temperature"),
        ({"message": "x", "code": "string_too_long", "param": "messages[0].content"}, "string_too_long", "messages[0].content"),
        ({"message": "maximum context length is 9", "code": 400}, "context_length_exceeded", None),
        ({"message": "x", "code": "internal_billing_flag_17"}, "invalid_request", None),
        ({"message": "x", "code": 400, "param": "<script>"}, "invalid_request", None),
    ],
)
def test_codes_are_those_that_a_program_can_act_on(error: dict[str, object], code: str, param: str | None) -> None:
    failure = rejected(400, orjson.dumps({"error": error}))

    assert (failure.code, failure.param) == (code, param)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("See https://openrouter.ai/docs for more", "See for more"),
        ("Visit openrouter.ai/settings/credits now", "Visit now"),
        ("OpenRouter and Open Router say no", "the service and the service say no"),
        ("Key sk-or-v1-abcdef012345 is bad", "Key is bad"),
        ("Bearer abc.def is bad", "is bad"),
        ("for user_2abcDEFghi and org-9xyz12345", "for and"),
        ("token " + "A1b2" * 20, "token"),
        ("a\x00b\nc\u2028d\u202ee", "a b c d e"),
        ("the user-provided key-value pairs stay", "the user-provided key-value pairs stay"),
        ("messages.0.content is required", "messages.0.content is required"),
    ],
)
def test_texts_from_outside_are_cleaned(text: str, clean: str) -> None:
    assert cleaned(text) == clean


def test_a_text_is_cut_and_provider_names_are_hidden() -> None:
    assert cleaned("DeepInfra says deepinfra", ("DeepInfra",)) == "the provider says the provider"
    assert len(cleaned("word " * 5_000)) <= 500


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("1.5", 2), ("999999", 3_600), ("soon", 5), ("-3", 5), ("٣", 5), ("", 5), (None, 5), ("Fri, 99 Foo", 5)],
)
def test_the_wait_is_a_sound_number(header: str | None, seconds: float) -> None:
    failure = failure_of(503, b"", retry_after=header)

    assert isinstance(failure, UpstreamBusy)
    assert failure.retry_after_seconds == seconds


def test_the_wait_may_be_a_date() -> None:
    failure = failure_of(429, b"", retry_after=format_datetime(now() + timedelta(seconds=30), usegmt=False))

    assert isinstance(failure, UpstreamBusy)
    assert failure.retry_after_seconds is not None
    assert 25 < failure.retry_after_seconds <= 30


@pytest.mark.parametrize(
    ("parsed", "kind"),
    [
        ({"error": {"code": 502, "message": "x"}, "choices": []}, UpstreamDown),
        ({"error": {"code": "429", "message": "x"}}, UpstreamBusy),
        ({"error": {"code": "server_error", "message": "x"}}, UpstreamDown),
        ({"error": {"http_status": 400, "error_type": "invalid_prompt", "message": "x"}}, UpstreamRejected),
        ({"error": "it broke"}, UpstreamDown),
        ({"error": None, "choices": []}, None),
        ({"choices": []}, None),
        ([], None),
        (None, None),
    ],
)
def test_an_error_inside_a_200_is_found(parsed: object, kind: type[Refusal] | None) -> None:
    found = failure_inside(parsed)

    assert type(found) is (kind or type(None))
