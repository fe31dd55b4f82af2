"""Every status but 200: our word for it, the wait it asks for, nothing to pay, and nothing of the supplier in it (R9, R28)."""

from datetime import timedelta
from email.utils import format_datetime

import orjson

from reseller.clock import now
from tests.deployment import UPSTREAM_KEY
from tests.fakes.bytes_of_http import (
    COST,
    DONE,
    FINISH,
    HELLO,
    TEXT,
    TOLD,
    WORLD,
    chat,
    chunk,
    chunked,
    event,
    head,
    said,
    sized,
    stream_head,
)
from tests.gateway.misbehaving import NOTHING, PAID, Case, check, recorded
from tests.shop import Shop

CLOSED, DOWN, BUSY, SLOW = "503 upstream_unavailable", "502 upstream_unavailable", "503 upstream_busy", "504 upstream_timeout"
STATUSES = {
    **dict.fromkeys((300, 301, 302, 303, 304, 305, 307, 308), DOWN),
    400: "400 invalid_request",
    401: CLOSED,
    402: CLOSED,
    403: CLOSED,
    404: "404 model_not_found",
    **dict.fromkeys((405, 406, 409, 411, 412, 414, 415, 418, 421, 425, 426, 428, 431, 451, 499), DOWN),
    408: SLOW,
    410: "404 model_not_found",
    413: "413 request_too_large",
    422: "422 unprocessable",
    429: BUSY,
    **dict.fromkeys((500, 501, 502, 505, 520, 521, 522, 523, 525, 526, 527, 530, 599, 600, 999), DOWN),
    503: BUSY,
    504: SLOW,
    524: SLOW,
    529: BUSY,
}
"""The upstream's status → ours and our code, for an envelope that says no more than the status."""

BARE = STATUSES | {404: DOWN, 410: DOWN}
"""Where a page or nothing stands in place of the envelope: a 404 is then a wrong address of the operator's."""

SECRETS = f"https://openrouter.ai/settings/credits {UPSTREAM_KEY} user_2fakefakefake gen-1756684800-x7 Bearer abc.def OpenRouter"


def envelope(code: object, message: str = "no", **more: object) -> bytes:
    return orjson.dumps({"error": {"code": code, "message": message, **more}, "user_id": "user_2fakefakefake"})


def answered(status: int, body: bytes, *lines: str, kind: str = "application/json") -> bytes:
    return head(304) if status == 304 else sized(body, status, *lines, kind=kind)


def test_each_status_is_told_in_our_own_word_and_costs_nothing(rough: Shop) -> None:
    cases = []
    for status, told in STATUSES.items():
        wire = answered(status, envelope(status), "Location: http://127.0.0.1:9/elsewhere")
        for is_stream in (False, True):
            cases.append(Case(f"status {status}", wire, told, NOTHING, is_stream=is_stream, is_trouble=status >= 500))

    check(rough, cases)
    alarms = ("upstream_key_refused", "upstream_out_of_credit", "upstream_forbade", "upstream_rate_limited", "upstream_redirected")
    assert [alarm for alarm in alarms if f'"alarm":"{alarm}"' not in rough.web.log] == []


def test_a_status_without_its_envelope_is_told_alike(rough: Shop) -> None:
    cases = []
    for status in (301, 307, 400, 401, 402, 403, 404, 408, 410, 413, 422, 429, 500, 503, 524):
        page = answered(status, b"<html><title>OpenRouter</title></html>", kind="text/html")
        for name, wire in (("page", page), ("nothing", answered(status, b""))):
            cases.append(Case(f"bare {status} {name}", wire, BARE[status], NOTHING, is_trouble=status >= 500))

    check(rough, cases)


def test_a_403_is_the_customers_only_where_it_is_about_content_or_region(rough: Shop) -> None:
    """R28, upstream.md 7."""
    flagged = {"reasons": ["violence", "self-harm"], "flagged_input": "never-seen", "provider_name": "FakeInfra"}
    theirs, ours = "403 content_policy", CLOSED
    forms: dict[str, tuple[dict[str, object], str]] = {
        "moderation": ({"metadata": flagged}, theirs),
        "flagged input": ({"metadata": {"flagged_input": "x"}}, theirs),
        "a policy": ({"metadata": {"error_type": "content_policy_violation"}}, theirs),
        "a refusal": ({"error_type": "refusal"}, theirs),
        "a region": ({"metadata": {"error_type": "region_restricted"}}, theirs),
        "a region by availability": ({"availability": {"code": "region_restricted"}}, theirs),
        "our permission": ({"metadata": {"error_type": "permission_denied"}}, ours),
        "no reasons": ({"metadata": {"reasons": []}}, ours),
        "our limit": ({"message": "Key limit exceeded. Manage it using https://openrouter.ai/settings/keys"}, ours),
    }
    cases = []
    for name, (more, told) in forms.items():
        wire = sized(envelope(403, **{"message": "no", **more}), 403)  # type: ignore[arg-type]
        cases += [Case(f"403 for {name}", wire, told, NOTHING, is_stream=is_stream) for is_stream in (False, True)]

    check(rough, cases)


def test_the_upstreams_wait_is_passed_on_as_a_sound_number(rough: Shop) -> None:
    """429, 503 and 529 are "busy, try later": seconds or a date (RFC 9110, section 10.2.3); without a sound one 5 s, at most an hour."""
    past, soon = (format_datetime(now() + timedelta(days=days), usegmt=True) for days in (-1, 9))
    forms = {
        "7": "7", "0": "1", "1.2": "2", "3600": "3600", "999999": "3600", "9" * 40: "5", "-3": "5", "soon": "5", "": "5", "1e3": "5",
        "7, 9": "5", past: "1", soon: "3600", "Fri, 99 Foo": "5",
    }  # fmt: skip
    cases = []
    for status in (429, 503, 529):
        for sent, ours in forms.items():
            wire = sized(envelope(status), status, f"Retry-After: {sent}")
            cases.append(Case(f"{status} wait {sent!r}", wire, BUSY, NOTHING, headers={"retry-after": ours}, is_trouble=status > 500))
        cases.append(
            Case(f"{status} no wait", sized(envelope(status), status), BUSY, NOTHING, headers={"retry-after": "5"}, is_trouble=status > 500)
        )
    told = orjson.dumps({"error": {"message": "x", "availability": {"code": "no_endpoints", "retryable": True, "retry_after": 12}}})
    cases.append(Case("404 but retryable", sized(told, 404), BUSY, NOTHING, headers={"retry-after": "12"}))

    check(rough, cases)


def test_texts_that_pass_are_cleaned_of_keys_suppliers_and_ids(rough: Shop) -> None:
    """R28: with 400, 413 and 422 the upstream's text says what to repair; the same inside a 200 and inside a stream."""
    said = f"FakeInfra: temperature is too high. {SECRETS}"
    named = {"provider_name": "FakeInfra", "error_type": "invalid_request"}
    raw = orjson.dumps({"error": {"message": said}}).decode()
    bodies = {
        "message": envelope(400, said, metadata=named),
        "raw": envelope(400, "Provider returned error", metadata={**named, "raw": raw}),
        "affected": envelope(400, said, availability={"affected_providers": ["FakeInfra"]}),
        "text": envelope(400, said.replace("FakeInfra", "It"), type="x", param="https://openrouter.ai"),
    }
    cases = []
    for name, body in bodies.items():
        frame = event([], more="," + body.decode()[1:-1])
        cases += [
            Case(f"cleaned {name}", sized(body, 400), "400 invalid_request", NOTHING),
            Case(f"cleaned {name}", sized(body, 400), "400 invalid_request", NOTHING, is_stream=True),
            Case(f"cleaned {name} in a 200", sized(body), "400 invalid_request", NOTHING),
            Case(
                f"cleaned {name} in a frame", chunked(HELLO, WORLD, frame), "200 invalid_request", recorded(None, "partial"), is_stream=True
            ),
        ]

    check(rough, cases)
    assert UPSTREAM_KEY not in rough.web.log


def test_the_reasons_of_a_moderation_do_not_name_the_supplier(rough: Shop) -> None:
    """R28: also where a reason is worded with a name."""
    metadata = {"reasons": ["violence", "FakeInfra policy", "openrouter rule"], "provider_name": "FakeInfra"}

    check(rough, [Case("reasons", sized(envelope(403, metadata=metadata), 403), "403 content_policy", NOTHING)])


HEADERS = (
    "Set-Cookie: session=leak-me", "Via: 1.1 leak-me", "X-Powered-By: leak-me", "X-Provider: FakeInfra", "CF-Ray: leak-me",
    "X-OpenRouter-Cache-Status: HIT", "X-Request-Id: leak-me", "X-Request-Cost: 0.777777", "X-Credits-Remaining: 0.777777",
    "X-RateLimit-Limit-Requests: 777777", "X-RateLimit-Remaining: 777777", "OpenAI-Organization: leak-me", "Alt-Svc: h3=leak-me",
    "Access-Control-Allow-Origin: https://leak-me", "WWW-Authenticate: Bearer leak-me", "Strict-Transport-Security: max-age=777777",
)  # fmt: skip


def test_no_header_of_the_upstream_reaches_the_client(rough: Shop) -> None:
    """R28: clients get allow-listed headers that we made, with answers, streams and refusals."""
    stream = (stream_head(*HEADERS), *map(chunk, (HELLO, WORLD, FINISH, TOLD, DONE)), b"0\r\n\r\n")
    cases = [
        Case("headers", sized(chat(), 200, *HEADERS), "200 answer", PAID, text=TEXT),
        Case("headers", stream, "200 done", PAID, is_stream=True, text=TEXT),
    ]
    for status in (307, 400, 401, 429, 503):
        cases.append(
            Case(f"headers {status}", sized(envelope(status), status, *HEADERS), STATUSES[status], NOTHING, is_trouble=status > 500)
        )

    check(rough, cases)


def test_nothing_of_the_supplier_beside_an_answer_reaches_the_client(rough: Shop) -> None:
    """R28: provider internals never appear."""
    outside = ',"provider":"FakeInfra","openrouter_metadata":{"a":"leak-me"},"usage_url":"https://openrouter.ai"'
    stream = chunked(b": FakeInfra\n\n", HELLO, event([], more=outside), event(said("world"), more=outside), FINISH, TOLD, DONE)
    hidden = ',"error":{"message":"FakeInfra"},"native_finish_reason":"leak-me"'
    cases = [
        Case("outside", sized(chat(more=outside)), "200 answer", PAID, text=TEXT),
        Case("outside", stream, "200 done", PAID, is_stream=True, text=TEXT),
        Case("hidden in the choice", sized(chat(in_choice=hidden)), "200 answer", PAID, text=TEXT),
    ]

    check(rough, cases)


def test_no_word_inside_the_details_of_a_usage_reaches_the_client(rough: Shop) -> None:
    """R28: counts are shown, not what else a supplier writes beside them."""
    details = b'{"prompt_tokens":11,"completion_tokens":7,"cost":%b,"prompt_tokens_details":{"cached_tokens":0,"by":"FakeInfra"}}'
    told = details % COST.encode()
    asked = {"stream_options": {"include_usage": True}}
    stream = chunked(HELLO, WORLD, FINISH, event([], usage=told), DONE)
    cases = [
        Case("in details", sized(chat(told)), "200 answer", PAID, text=TEXT),
        Case("in details", stream, "200 done", PAID, is_stream=True, text=TEXT, asks=asked),
    ]

    check(rough, cases)


def test_a_provider_named_in_a_choice_does_not_reach_the_client(rough: Shop) -> None:
    """R28: whole, in the first frame of a stream, and in those that look like it."""
    named = ',"provider":"FakeInfra"'
    frames = [event(said(word)).replace(b'"index":0', b'"index":0' + named.encode()) for word in ("Hello ", "wor", "ld")]
    cases = [
        Case("in a choice", sized(chat(in_choice=named)), "200 answer", PAID, text=TEXT),
        Case("in a choice", chunked(*frames, FINISH, TOLD, DONE), "200 done", PAID, is_stream=True, text=TEXT),
    ]

    check(rough, cases)
