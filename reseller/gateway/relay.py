"""The story of a paid call, whole and streamed, read from top to bottom.

who → what → at most → may they, can they pay (commit) → go → how much → settle (commit) → last bytes out.
Between the two commits no transaction is open.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from flask import Response, g, request

from reseller import metrics
from reseller.clients.upstream import Reply, failure_inside
from reseller.clock import monotonic
from reseller.domain.calls import Admit, Admitted, Note, Outcome, Settle, facts_of
from reseller.domain.keys import Caller
from reseller.domain.usage import CallStatus
from reseller.errors import Refusal, StalePrices, Unavailable, UpstreamDown, UpstreamFailure
from reseller.gateway import quoting, rewriting
from reseller.gateway.access import identify
from reseller.gateway.body import parse_object, read_body
from reseller.gateway.call import EMBEDDINGS, Call, upstream_user
from reseller.gateway.ending import Seen, end, failed
from reseller.gateway.headers import call_headers
from reseller.gateway.quoting import Quote
from reseller.gateway.stream import Stream
from reseller.gateway.watching import ClientGone, giving_up
from reseller.live import LiveCalls
from reseller.metering import Usage, read_usage
from reseller.money import format_nano
from reseller.wiring import Wiring, wiring

log = structlog.get_logger()

MAX_REQUOTES = 3
_ID_PREFIX = {"/chat/completions": "chatcmpl-", "/completions": "cmpl-", "/embeddings": "embd-"}
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
    with going.ended_on_error():
        return _whole(going, reply)  # how much; charge, log, release: one commit


def _asked(house: Wiring, caller: Caller, path: str) -> Call:
    asked: dict[str, Any] | None = None
    try:
        asked = parse_object(read_body(request, house.settings.max_body_bytes))
        return Call.read(asked, path)
    except Refusal as refusal:
        _record(house, caller, path, asked, refusal)
        raise


def _record(house: Wiring, caller: Caller, path: str, asked: dict[str, Any] | None, refusal: Refusal) -> None:
    """A call refused before admission still has its row, so that staff can say why."""
    metrics.CALLS.labels(path, refusal.code).inc()
    house.till.record(quoting.refused_facts(caller, path, asked, g.call_id), refusal)


def _admitted(house: Wiring, caller: Caller, call: Call, path: str) -> "Going":
    """The call with its committed hold. Prices that moved meanwhile are read again and the call is quoted anew."""
    for _ in range(MAX_REQUOTES):
        try:
            quoted = quoting.quote(house, caller, call)
        except Refusal as refusal:
            _record(house, caller, path, {"model": call.model}, refusal)
            raise
        op = quoting.admission(house, caller, call, quoted, g.call_id)
        try:
            admitted = house.till.admit(op)
        except StalePrices:
            house.book.refresh()
            continue
        except Refusal as refusal:
            metrics.CALLS.labels(path, refusal.code).inc()
            raise
        going = Going(house, call, quoted, op, admitted, g.received_at, live_calls())
        metrics.ADDED_SECONDS.observe(going.timings["admitted_ms"] / 1000)
        return going
    raise Unavailable


def live_calls() -> LiveCalls:
    live = g.live
    assert isinstance(live, LiveCalls)
    return live


@dataclass(slots=True)
class _Timings:
    received_at: float
    values: dict[str, float]

    def mark(self, name: str) -> None:
        self.values[name] = round((monotonic() - self.received_at) * 1000, 2)


class Going:
    """An admitted call until it has ended. Every way out leads through `finish` or `fail`, once."""

    def __init__(self, house: Wiring, call: Call, quote: Quote, op: Admit, admitted: Admitted, received_at: float, live: LiveCalls) -> None:
        self.house = house
        self.call = call
        self.quote = quote
        self.op = op
        self.admitted = admitted
        self.live = live
        self.generation_id: str | None = None
        self._is_ended = False
        self._marks = _Timings(received_at, {})
        self._marks.mark("admitted_ms")
        live.begin(op.call_id)

    @property
    def timings(self) -> dict[str, float]:
        return self._marks.values

    @property
    def our_id(self) -> str:
        return _ID_PREFIX[self.call.path] + self.op.call_id.hex

    def send(self) -> Reply:
        """The upstream's answer has begun. Raises what stands against it, mapped to our words."""
        offer = self.quote.offer
        secret = self.house.settings.secret_key.get_secret_value().encode()
        body = self.call.upstream_body(
            model=offer.upstream_model,
            output_cap=self.admitted.output_cap,
            user=upstream_user(secret, self.op.account_id, self.call.user),
            price_cap=offer.price_cap(self.quote.hold) if self.quote.upstream.takes_price_cap else None,
        )
        scenario = request.headers.get("x-sandbox-scenario") if self.op.is_test else None
        self._marks.mark("sent_ms")
        # A whole answer is finished and billed by the upstream although nobody waits for it: it is taken, and charged.
        with giving_up(request.environ) if self.call.is_stream else nullcontext():
            reply = self.quote.upstream.send(self.call.path, body, is_stream=self.call.is_stream, scenario=scenario)
        self._marks.mark("first_byte_ms")
        metrics.FIRST_BYTE_SECONDS.observe((self.timings["first_byte_ms"] - self.timings["sent_ms"]) / 1000)
        self.generation_id = reply.generation_id
        return reply

    def read_usage(self, usage: object) -> Usage | None:
        context = self.quote.offer.context_length or 10_000_000
        return read_usage(usage, context_length=context, n=self.call.n, completion_absent_is_zero=self.call.path == EMBEDDINGS)

    def finish(self, seen: Seen) -> int | None:
        """The call has ended with an answer; the charge, or None while it is not known or not durable yet."""
        self._is_ended = True
        self._marks.mark("ended_ms")
        seen.response_metadata.update(self.timings)
        result = end(self.quote, self.admitted, seen)
        if isinstance(result, Note):
            self.house.till.pend(result)
            self._ended(seen.status, None)
            return None
        settled = self.house.till.settle(Settle(facts_of(self.op), result))
        charge = settled.charge_nano if settled and settled.was_open else None
        self._ended(seen.status, charge)
        return charge

    def fail(self, refusal: Refusal) -> None:
        """The call has ended without an answer; nothing is charged."""
        if self._is_ended:
            return
        self._is_ended = True
        self._marks.mark("ended_ms")
        outcome: Outcome = failed(refusal, self.generation_id)
        outcome.response_metadata.update(self.timings)
        self.house.till.settle(Settle(facts_of(self.op), outcome))
        alarm = getattr(refusal, "alarm", None)
        if alarm:
            metrics.ALARMS.labels(alarm).inc()
            log.error("alarm", alarm=alarm, upstream=self.quote.upstream.name)
        self._ended(CallStatus.FAILED, 0)

    def _abandon(self) -> None:
        """The client left before the upstream began to answer: there is no record to ask for, the prompt is estimated (R9)."""
        seen = Seen(
            status=CallStatus.ABANDONED,
            usage=None,
            usage_invalid=False,
            delivered_bytes=0,
            prompt_bytes=self.call.size.tokens,
            generation_id=None,
            served_model=None,
            images=self.call.size.images,
            error_code="client_disconnected",
        )
        self.finish(seen)

    @contextmanager
    def ended_on_error(self) -> Iterator[None]:
        """Whatever goes wrong inside, the hold is released and nothing charged."""
        try:
            yield
        except ClientGone:
            self._abandon()
            raise Unavailable("The client has hung up.") from None
        except Refusal as refusal:
            self.fail(refusal)
            raise
        except BaseException:
            self.fail(UpstreamDown("The request failed. Nothing was charged."))
            raise

    def _ended(self, status: CallStatus, charge_nano: int | None) -> None:
        self.live.end(self.op.call_id)
        metrics.CALLS.labels(self.call.path, status).inc()
        if charge_nano:
            metrics.CHARGED_USD.inc(charge_nano / 1e9)  # a gauge for graphs, never money
        log.info(
            "call_settled" if charge_nano is not None else "call_pending",
            call_id=self.op.call_id.hex,
            account_id=str(self.op.account_id),
            model=self.call.model,
            status=status,
            charge_usd=None if charge_nano is None else format_nano(charge_nano),
            ms=self.timings.get("ended_ms"),
        )


def _whole(going: Going, reply: Reply) -> Response:
    """The whole answer, its charge committed first."""
    going.live.answered(going.op.call_id, going.generation_id, None)
    try:
        raw = reply.read_all()
    finally:
        reply.close()
    try:
        parsed = rewriting.parse(raw)
    except rewriting.NotJson:
        raise UpstreamDown("The upstream's answer could not be read. Nothing was charged.") from None
    _refuse_empty(parsed, going.call.path)
    sent = rewriting.exact_usage(raw, parsed.get("usage"))
    usage = going.read_usage(sent)
    seen = Seen(
        status=_status_of(parsed),
        usage=usage,
        usage_invalid=sent is not None and usage is None,
        delivered_bytes=rewriting.delivered_bytes(parsed),
        prompt_bytes=going.call.size.tokens,
        generation_id=going.generation_id or _id_of(parsed),
        served_model=_text(parsed.get("model")),
        images=going.call.size.images,
        response_metadata={"finish_reason": _finish_reason(parsed)},
    )
    charge = going.finish(seen)
    shown = rewriting.shown_usage(parsed["usage"], charge) if usage is not None else None
    body = rewriting.whole_answer(parsed, our_id=going.our_id, model=going.quote.shown_model, usage=shown)
    return Response(body, headers=[("Content-Type", "application/json"), *call_headers(going.admitted, charge)])


def _streamed(going: Going, reply: Reply) -> Response:
    """The stream with its registry entry and its watch on the client; it settles itself."""
    rewriter = rewriting.StreamRewriter(our_id=going.our_id, model=going.quote.shown_model, read_usage=going.read_usage)
    stream = Stream(reply, rewriter, partial(_finish_stream, going), wants_usage=going.call.wants_usage)
    going.live.answered(going.op.call_id, going.generation_id, stream)
    stream.watch(request.environ)
    return Response(stream, headers=[*SSE_HEADERS, *call_headers(going.admitted)], direct_passthrough=True)


def _finish_stream(
    going: Going, status: CallStatus, rewriter: rewriting.StreamRewriter, error_code: str | None, delivered_bytes: int
) -> int | None:
    """What a stream's end means for the money."""
    nothing_came = rewriter.usage is None and not rewriter.saw_invalid_usage and rewriter.output_bytes == 0
    if status == CallStatus.PARTIAL and nothing_came and error_code != Unavailable.code:
        going.fail(UpstreamFailure("The upstream answered with an error and no output."))  # R9: 200 with an error and no output → 0
        return 0
    seen = Seen(
        status=status,
        usage=rewriter.usage,
        usage_invalid=rewriter.saw_invalid_usage and rewriter.usage is None,
        delivered_bytes=delivered_bytes,
        prompt_bytes=going.call.size.tokens,
        generation_id=going.generation_id,
        served_model=rewriter.served_model,
        images=going.call.size.images,
        error_code=error_code,
        response_metadata={"finish_reason": rewriter.finish_reason},
    )
    return going.finish(seen)


def _refuse_empty(parsed: dict[str, Any], path: str) -> None:
    """A 200 that holds an error and no output, or not what was asked for, is no answer (R9)."""
    inside = failure_inside(parsed)
    output = parsed.get("data" if path == EMBEDDINGS else "choices")
    if isinstance(output, list) and output and (inside is None or rewriting.delivered_bytes(parsed)):
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


def _id_of(parsed: dict[str, Any]) -> str | None:
    value = _text(parsed.get("id"))
    return value if value and value.startswith("gen-") else None


def _text(value: Any) -> str | None:
    return value.replace("\x00", "")[:200] if isinstance(value, str) else None
