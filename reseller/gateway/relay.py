"""The story of a paid call, whole and streamed, read from top to bottom.

who → what → at most → may they, can they pay (commit) → go → how much → settle (commit) → last bytes out.
Between the two commits no transaction is open.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from flask import Response, g, request

from reseller import metrics
from reseller.clients.upstream import Reply, failure_inside
from reseller.domain.calls.settlement import storable
from reseller.domain.keys import Caller
from reseller.domain.usage import CallStatus
from reseller.errors import (
    PaymentRequired,
    RateLimited,
    Refusal,
    SpendLimitReached,
    StalePrices,
    TooManyAtOnce,
    Unavailable,
    UpstreamDown,
    UpstreamFailure,
)
from reseller.gateway import account, quoting, rewriting, tracing
from reseller.gateway.access import identify
from reseller.gateway.body import in_turn, parse_object, read_body
from reseller.gateway.call import Call
from reseller.gateway.exact_json import NotJson, exact_usage, parse
from reseller.gateway.going import Going, Quoted
from reseller.gateway.headers import call_headers
from reseller.gateway.large_bodies import LARGE_BYTES, heavy_work
from reseller.gateway.rebuilding import EMBEDDINGS
from reseller.gateway.stream import Stream
from reseller.gateway.watching import HangUpWatch
from reseller.live import LiveCalls
from reseller.web.client_address import client_address
from reseller.wiring import Wiring, wiring

MAX_REQUOTES = 3
UNREADABLE = "The upstream's answer could not be read. Nothing was charged."
SSE_HEADERS = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]


def relay(path: str) -> Response:
    """One paid call, from key to settled charge."""
    house = wiring()
    caller = identify(request, house)  # whose            401
    asked = _asked(house, caller, path)  # what             400 413 415
    going = _admitted(house, caller, asked, path)  # at most, may they, can they pay: one commit   404 402 403 429
    with going.ended_on_error():
        reply = going.send()  # go               502 503 504
    if reply.is_stream:
        return _streamed(going, reply)  # the same ending, in close()
    if going.watch is not None:
        going.watch.stop()  # a stream was asked for, and answered whole
    with going.ended_on_error():
        return _whole(going, reply)  # how much; charge, log, release: one commit


def _asked(house: Wiring, caller: Caller, path: str) -> Call:
    asked: dict[str, Any] | None = None
    try:
        raw = read_body(request, house.settings.max_body_bytes)
        asked = parse_object(raw)
        return in_turn(partial(Call.read, asked, path))
    except Refusal as refusal:
        _record(house, caller, path, asked, refusal)
        raise


def _record(house: Wiring, caller: Caller, path: str, asked: dict[str, Any] | None, refusal: Refusal) -> None:
    """A call refused before admission still has its row, so that staff can say why.

    A key that is revoked or expired hears nothing but that (R21): raises InvalidKey.
    """
    with account.reading(caller):
        pass
    _count_refused(house, path, refusal)
    house.till.record(quoting.refused_facts(caller, path, asked, g.call_id), refusal)


def _admitted(house: Wiring, caller: Caller, call: Call, path: str) -> "Going":
    """The call with its committed hold. Prices that moved meanwhile are read again and the call is quoted anew."""
    for _ in range(MAX_REQUOTES):
        try:
            quoted = quoting.quote(house, caller, call)
        except Refusal as refusal:
            _record(house, caller, path, {"model": call.model}, refusal)
            raise
        op = quoting.admission(house, caller, call, quoted, g.call_id, client_address(request, house.settings.trusted_proxies))
        try:
            admitted = house.till.admit(op)
        except StalePrices:
            house.book.refresh()
            continue
        except Refusal as refusal:
            _count_refused(house, path, refusal)
            _count_limit(refusal)
            raise
        going = Going(house, Quoted(call, quoted, op), admitted, received_at=g.received_at, live=live_calls())
        metrics.observe(metrics.ADDED_SECONDS, going.timings["admitted_ms"] / 1000)
        return going
    raise Unavailable


def _count_refused(house: Wiring, path: str, refusal: Refusal) -> None:
    metrics.count(metrics.CALLS, path, refusal.code)
    traces = house.telemetry.traces
    if traces is not None and traces.wants(g.call_id):
        tracing.refused(traces, g.call_id, received_at=g.received_at, path=path, refusal=refusal)


def _count_limit(refusal: Refusal) -> None:
    """What stood in the way of a call that could otherwise have gone: how fast, how many at once, or money."""
    if isinstance(refusal, RateLimited):
        metrics.count(metrics.LIMIT_HITS, refusal.window)
    elif isinstance(refusal, TooManyAtOnce):
        metrics.count(metrics.LIMIT_HITS, "at_once")
    elif isinstance(refusal, SpendLimitReached):
        metrics.count(metrics.LIMIT_HITS, "key_spend")
    elif isinstance(refusal, PaymentRequired):
        metrics.count(metrics.BALANCE_REFUSALS, refusal.code)


def live_calls() -> LiveCalls:
    live = g.live
    assert isinstance(live, LiveCalls)
    return live


def _whole(going: Going, reply: Reply) -> Response:
    """The whole answer, its charge committed first."""
    going.live.answered(going.op.call_id, going.generation_id, None)
    try:
        raw = reply.read_all()
    finally:
        reply.close()
    parsed = _readable(raw)
    _refuse_empty(parsed, going.call.path)
    sent = exact_usage(raw, parsed.get("usage"))
    usage = going.read_usage(sent)
    seen = going.seen(
        _status_of(parsed),
        usage=usage,
        usage_invalid=sent is not None and usage is None,
        delivered_bytes=rewriting.delivered_bytes(parsed),
        generation_id=going.generation_id or rewriting.generation_id_of(parsed),
        served_model=_text(parsed.get("model")),
        response_metadata={"finish_reason": _finish_reason(parsed)},
    )
    answer = _sendable(going, parsed)
    charge = going.finish(seen)  # only what can be sent is charged: the answer is built before
    body = rewriting.with_usage(answer, parsed["usage"], charge) if usage is not None else answer
    return Response(body, headers=[("Content-Type", "application/json"), *call_headers(going.admitted, charge)])


def _readable(raw: bytes) -> dict[str, Any]:
    try:
        with _large_work(raw):
            return parse(raw)
    except NotJson:
        raise UpstreamDown(UNREADABLE) from None


def _large_work(raw: bytes) -> AbstractContextManager[None]:
    """Megabytes of an answer are worked on in turn, as those of requests are (R31)."""
    return nullcontext() if len(raw) < LARGE_BYTES else heavy_work.turn()


def _sendable(going: Going, parsed: dict[str, Any]) -> bytes:
    try:
        return rewriting.whole_answer(parsed, our_id=going.our_id, model=going.quote.shown_model)
    except NotJson:
        raise UpstreamDown(UNREADABLE) from None


def _streamed(going: Going, reply: Reply) -> Response:
    """The stream with its registry entry and its watch on the client; it settles itself."""
    rewriter = rewriting.StreamRewriter(
        our_id=going.our_id, model=going.quote.shown_model, read_usage=going.read_usage, choices=going.call.n
    )
    stream = Stream(reply, rewriter, partial(_finish_stream, going), wants_usage=going.call.wants_usage)
    going.live.answered(going.op.call_id, going.generation_id, stream)
    going.has_begun = True
    stream.watch(going.watch or HangUpWatch(request.environ, stream.hung_up))
    return Response(stream, headers=[*SSE_HEADERS, *call_headers(going.admitted)], direct_passthrough=True)


def _finish_stream(
    going: Going, status: CallStatus, rewriter: rewriting.StreamRewriter, error_code: str | None, delivered_bytes: int
) -> int | None:
    """What a stream's end means for the money."""
    has_failed = rewriter.error is not None or rewriter.finish_reason == "error"
    has_usage = rewriter.usage is not None or rewriter.saw_invalid_usage
    nothing_came = rewriter.output_bytes == 0 and (has_failed or not has_usage)
    if rewriter.error is not None:
        going.alarm(failure_inside(rewriter.error) or UpstreamDown(""))
    if status == CallStatus.PARTIAL and nothing_came and error_code != Unavailable.code:
        refusal = UpstreamFailure("The upstream answered with an error and no output.")  # R9: 200 with an error and no output → 0
        refusal.code = error_code or refusal.code  # as the customer heard it
        going.fail(refusal)
        return 0
    seen = going.seen(
        status,
        usage=rewriter.usage,
        usage_invalid=rewriter.saw_invalid_usage,
        delivered_bytes=delivered_bytes,
        generation_id=going.generation_id or rewriter.generation_id,
        served_model=rewriter.served_model,
        error_code=error_code,
        response_metadata={"finish_reason": rewriter.finish_reason},
    )
    return going.finish(seen)


def _refuse_empty(parsed: dict[str, Any], path: str) -> None:
    """A 200 that holds an error and no output, or not what was asked for, is no answer (R9)."""
    inside = failure_inside(parsed)
    output = parsed.get("data" if path == EMBEDDINGS else "choices")
    has_failed = inside is not None or _status_of(parsed) == CallStatus.PARTIAL
    if isinstance(output, list) and output and (not has_failed or rewriting.delivered_bytes(parsed)):
        return
    if inside is not None:
        raise inside
    raise UpstreamDown("The upstream's answer was empty. Nothing was charged.")


def _status_of(parsed: dict[str, Any]) -> CallStatus:
    return CallStatus.PARTIAL if _finish_reason(parsed) == "error" else CallStatus.COMPLETED


def _finish_reason(parsed: dict[str, Any]) -> str | None:
    choices = parsed.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return _text(first.get("finish_reason")) if isinstance(first, dict) else None


def _text(value: Any) -> str | None:
    return storable(value) if isinstance(value, str) else None
