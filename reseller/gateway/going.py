"""An admitted call until it has ended: what was quoted, what is held, and the two ways out, `finish` and `fail`.

Whatever happens between, one of them is reached, and only the first counts.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from flask import request

from reseller import alarms, metrics
from reseller.clients.upstream import Reply
from reseller.clock import monotonic
from reseller.domain.calls import Admit, Admitted, Note, Outcome, Settle, facts_of
from reseller.domain.usage import CallStatus
from reseller.errors import Refusal, Unavailable, UpstreamDown
from reseller.gateway import tracing
from reseller.gateway.body import in_turn
from reseller.gateway.call import Call, upstream_user
from reseller.gateway.ending import Seen, end, failed
from reseller.gateway.errors import fate_of
from reseller.gateway.quoting import Quote
from reseller.gateway.rebuilding import EMBEDDINGS
from reseller.gateway.watching import ClientGone, HangUpWatch, giving_up
from reseller.live import LiveCalls
from reseller.metering import Usage, read_usage
from reseller.money import format_nano
from reseller.wiring import Wiring

log = structlog.get_logger()

VOIDED = "This server was too slow to finish the call. Nothing was charged; please try again."

_ID_PREFIX = {"/chat/completions": "chatcmpl-", "/completions": "cmpl-", "/embeddings": "embd-"}


@dataclass(frozen=True, slots=True)
class Quoted:
    """A call, its price, and the operation that asks for its hold."""

    call: Call
    quote: Quote
    op: Admit


@dataclass(slots=True)
class _Timings:
    received_at: float
    values: dict[str, float]

    def mark(self, name: str) -> None:
        self.values[name] = round((monotonic() - self.received_at) * 1000, 2)


class Going:
    """An admitted call until it has ended. Every way out leads through `finish` or `fail`, once."""

    def __init__(self, house: Wiring, quoted: Quoted, admitted: Admitted, *, received_at: float, live: LiveCalls) -> None:
        self.house = house
        self.call = quoted.call
        self.quote = quoted.quote
        self.op = quoted.op
        self.admitted = admitted
        self.live = live
        self.generation_id: str | None = None
        self.watch: HangUpWatch | None = None  # on the client of a stream; whoever goes on with the call stops it
        self.has_begun = False  # the head of its answer is on its way to the client
        self._is_ended = False
        self._marks = _Timings(received_at, {})
        self._marks.mark("admitted_ms")
        live.begin(quoted.op.call_id)

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
        made = partial(
            self.call.upstream_body,
            model=offer.upstream_model,
            output_cap=self.admitted.output_cap,
            user=upstream_user(secret, self.op.account_id, self.call.user),
            price_cap=offer.price_cap(self.quote.hold) if self.quote.upstream.takes_price_cap else None,
        )
        body = in_turn(made)
        self.call.body.clear()  # megabytes, perhaps, that nobody needs while the answer comes
        scenario = request.headers.get("x-sandbox-scenario") if self.op.is_test else None
        self._marks.mark("sent_ms")
        # A whole answer is finished and billed by the upstream although nobody waits for it: it is taken, and charged.
        with giving_up(request.environ) if self.call.is_stream else nullcontext() as self.watch:
            reply = self.quote.upstream.send(self.call.path, body, is_stream=self.call.is_stream, scenario=scenario)
        self._marks.mark("first_byte_ms")
        metrics.observe(metrics.FIRST_BYTE_SECONDS, (self.timings["first_byte_ms"] - self.timings["sent_ms"]) / 1000)
        self.generation_id = reply.generation_id
        return reply

    def read_usage(self, usage: object) -> Usage | None:
        answers, is_embedding = max(self.call.n, self.call.inputs), self.call.path == EMBEDDINGS
        return read_usage(usage, context_length=self.quote.offer.context_length, n=answers, completion_absent_is_zero=is_embedding)

    def finish(self, seen: Seen) -> int | None:
        """The call has ended with an answer; the charge, or None while it is not known or not durable yet.

        Raises Unavailable if the call has been voided meanwhile: what costs nothing is not delivered.
        """
        self._is_ended = True
        self.live.end(self.op.call_id)
        self._marks.mark("ended_ms")
        seen.response_metadata.update(self.timings)
        result = end(self.quote, self.admitted, seen)
        if isinstance(result, Note):
            self.house.till.pend(result)
            self._ended(seen.status, None, seen.error_code)
            return None
        began_at = monotonic()
        settled = self.house.till.settle(Settle(facts_of(self.op), result))
        metrics.observe(metrics.SETTLE_SECONDS, monotonic() - began_at)
        if settled is not None and settled.was_voided:
            alarms.sound("voided_while_alive", words=f"call {self.op.call_id.hex}", call_id=self.op.call_id.hex)
            raise Unavailable(VOIDED)
        charge = None if settled is None else settled.final_nano
        self._ended(seen.status, charge, seen.error_code)
        return charge

    def fail(self, refusal: Refusal) -> None:
        """The call has ended without an answer; nothing is charged."""
        if self._is_ended:
            return
        self._is_ended = True
        self.live.end(self.op.call_id)
        self._marks.mark("ended_ms")
        outcome: Outcome = failed(refusal, self.generation_id)
        outcome.response_metadata.update(self.timings)
        self.house.till.settle(Settle(facts_of(self.op), outcome))
        self.alarm(refusal)
        self._ended(CallStatus.FAILED, 0, refusal.code, refusal)

    def alarm(self, refusal: Refusal) -> None:
        """Staff hear of what they must look at: our key, our credit, our limits at the upstream."""
        alarm = getattr(refusal, "alarm", None)
        if alarm:
            alarms.sound(alarm, self.quote.upstream.name, upstream=self.quote.upstream.name)

    def seen(self, status: CallStatus, **more: Any) -> Seen:
        """What reached us of the answer, with what is known of the request."""
        return Seen(status=status, prompt_bytes=self.call.estimated_prompt_bytes, images=self.call.size.images, **more)

    def _abandon(self) -> None:
        """The client left before the upstream began to answer: there is no record to ask for, the prompt is estimated (R9)."""
        self.finish(self.seen(CallStatus.ABANDONED, error_code="client_disconnected"))

    @contextmanager
    def ended_on_error(self) -> Iterator[None]:
        """Whatever goes wrong inside, the call ends: nothing is charged, save the prompt of a client that left."""
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

    def _ended(self, status: CallStatus, charge_nano: int | None, error_code: str | None, refusal: Refusal | None = None) -> None:
        op = self.op
        traces = self.house.telemetry.traces
        if traces is not None and traces.wants(op.call_id):
            facts = self._facts(status, refusal)
            tracing.ended(traces, op.call_id, received_at=self._marks.received_at, marks=self.timings, facts=facts, error=error_code)
        metrics.count_ended(self.call.path, op.upstream, metrics.TEST_MODEL if op.is_test else op.model, status)
        if charge_nano:
            metrics.count(metrics.CHARGED_USD, by=charge_nano / 1e9)  # for graphs, never money
        log.info(
            "call_settled" if charge_nano is not None else "call_pending",
            call_id=self.op.call_id.hex,
            account_id=str(self.op.account_id),
            model=self.call.model,
            status=status,
            charge_usd=None if charge_nano is None else format_nano(charge_nano),
            ms=self.timings.get("ended_ms"),
        )

    def _facts(self, status: CallStatus, refusal: Refusal | None) -> tracing.Facts:
        """What the call's trace tells of it. The head of a stream left with 200, whatever came after."""
        op = self.op
        facts = tracing.about(self.call.path, op.call_id, status)
        facts |= {"gen_ai.request.model": metrics.TEST_MODEL if op.is_test else op.model, "reseller.upstream": op.upstream}
        facts |= {"reseller.is_stream": op.is_stream, "reseller.is_test": op.is_test}
        if status != CallStatus.ABANDONED:
            facts["http.response.status_code"] = 200 if refusal is None or self.has_begun else fate_of(refusal)[0]
        return facts
