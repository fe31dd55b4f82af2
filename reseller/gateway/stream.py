"""A streamed answer on its way to the client: an iterator with an idempotent `close()`.

Not a generator: the `finally` of one that never started does not run, so a client that leaves
before the first byte would keep its hold. Everything needed to end the call is carried here,
since the request context is gone by then. The charge is committed before the last bytes leave.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import structlog

from reseller import alarms
from reseller.clients.sse import Frames
from reseller.clients.upstream import Reply, failure_inside
from reseller.clock import monotonic
from reseller.domain.usage import CallStatus
from reseller.errors import Refusal, Unavailable, UpstreamDown, UpstreamFailure
from reseller.gateway.errors import envelope
from reseller.gateway.large_bodies import heavy_work
from reseller.gateway.rewriting import DONE, KEEP_ALIVE, StreamRewriter
from reseller.gateway.watching import HangUpWatch

HEARTBEAT_SECONDS = 10.0
BULK_BYTES = 32_768

Finish = Callable[[CallStatus, StreamRewriter, str | None, int], int | None]
"""(status, what was seen, error code, delivered bytes) → the charge in nano-dollars, None while it is not known."""

log = structlog.get_logger()


class Stream:
    """Relays frames, then settles, then sends the end. Whoever stops iterating must call `close`."""

    def __init__(self, reply: Reply, rewriter: StreamRewriter, finish: Finish, *, wants_usage: bool) -> None:
        self._reply = reply
        self._rewriter = rewriter
        self._finish = finish
        self._wants_usage = wants_usage
        self._since_turn = 0  # bytes
        self._frames = Frames()
        self._watch: HangUpWatch | None = None
        self._is_ended = False  # the call is settled or pending
        self._is_over = False  # nothing more goes to the client
        self._is_gone = False
        self._is_draining = False
        self._voided: Unavailable | None = None  # the call had been ended without a charge
        self._sent_bytes = 0  # text handed to the server
        self._delivered_bytes = 0  # text the server took before it asked for more
        self._handed_at: float | None = None  # since when the server tries to write what it was given

    def watch(self, watch: HangUpWatch) -> None:
        """From now on a hang-up closes the upstream at once (R9)."""
        self._watch = watch
        watch.tell(self.hung_up)

    def cut_off_if_stalled(self, patience_seconds: float) -> None:
        """A client that takes nothing for that long is gone: its socket is closed, so that the call can end and be charged."""
        if self._handed_at is None or monotonic() - self._handed_at < patience_seconds:
            return
        self._is_gone = True
        self._handed_at = None
        self._reply.close()
        if self._watch is not None and self._watch.client is not None:
            with suppress(OSError):
                self._watch.client.shutdown(socket.SHUT_RDWR)

    def drain(self) -> None:
        """The stream ends soon with an error event; its reader wakes up."""
        self._is_draining = True
        self._reply.close()

    @property
    def has_sent_its_last(self) -> bool:
        """Nothing comes after the piece that `__next__` gave last: the web worker ends the answer together with it."""
        return self._is_over

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> bytes:
        self._handed_at = None
        self._delivered_bytes = self._sent_bytes
        if self._is_over:
            raise StopIteration
        out = self._next_bytes()
        self._sent_bytes = self._rewriter.output_bytes
        self._handed_at = monotonic()
        return out

    def close(self) -> None:
        """The upstream is closed and the call has ended, whatever was delivered. Idempotent."""
        self._is_over = True
        self._handed_at = None
        if self._watch is not None:
            self._watch.stop()
        self._reply.close()
        if not self._is_ended:
            self._end(CallStatus.ABANDONED, "client_disconnected")

    def _next_bytes(self) -> bytes:
        while True:
            try:
                piece = self._reply.read1(HEARTBEAT_SECONDS)
                if piece is None:
                    return KEEP_ALIVE
                block = self._frames.take_block(piece) if piece else self._last_block()
                out = self._passed_on(block, len(piece)) if block else b""
            except UpstreamFailure as error:
                return self._broken_off(error)
            if self._rewriter.broken is not None:
                return out + self._broken_off(self._rewriter.broken)
            if self._rewriter.error is not None:
                return out + self._upstream_error(self._rewriter.error)
            if self._rewriter.is_done or not piece:
                end = self._whole_end(has_mark=self._rewriter.is_done)
                return end if self._voided else out + end
            if out:
                return out

    def _passed_on(self, block: bytes, received: int) -> bytes:
        """What the customer gets. An upstream that never lets us wait must not keep the processor: its bulk takes turns (R31)."""
        self._since_turn += received
        if self._since_turn < BULK_BYTES:
            return self._rewriter.pass_on(block)
        self._since_turn = 0
        with heavy_work.turn():
            return self._rewriter.pass_on(block)

    def _last_block(self) -> bytes:
        """What the upstream left without its blank line is a frame too, if the stream ended in order."""
        rest = self._frames.rest.strip(b"\r\n")
        return rest + b"\n\n" if rest else b""

    def _whole_end(self, *, has_mark: bool) -> bytes:
        """Settle, then the usage frame for those who asked, then [DONE]."""
        rewriter = self._rewriter
        if not has_mark and not rewriter.is_finished and rewriter.usage is None:
            return self._broken_off(UpstreamDown("The answer ended early."))
        if rewriter.is_empty:
            return self._broken_off(UpstreamDown("The answer was empty."))
        if rewriter.finish_reason == "error":
            status, code = CallStatus.PARTIAL, "upstream_error"
        else:
            status, code = CallStatus.COMPLETED, None
        self._delivered_bytes = rewriter.output_bytes
        charge = self._end(status, code)
        self._is_over = True
        if self._voided is not None:
            return _error_event(self._voided)
        usage = rewriter.usage_frame(charge) if self._wants_usage and rewriter.usage is not None else b""
        return usage + DONE

    def _broken_off(self, error: Exception) -> bytes:
        """The upstream stopped, or we must: settle what was delivered and say so in the stream."""
        self._is_over = True
        if self._is_gone:
            self._end(CallStatus.ABANDONED, "client_disconnected")
            return b""
        self._delivered_bytes = self._rewriter.output_bytes
        if self._is_draining:
            refusal: Refusal = Unavailable("The server is restarting; this answer was cut short. What you received is charged.")
        elif isinstance(error, Refusal):
            refusal = error
        else:
            refusal = UpstreamDown("The answer could not be read to its end.")
        self._end(CallStatus.PARTIAL, refusal.code)
        return _error_event(refusal)

    def _upstream_error(self, frame: dict[str, Any]) -> bytes:
        self._is_over = True
        self._delivered_bytes = self._rewriter.output_bytes
        refusal = failure_inside(frame) or UpstreamDown("The answer broke off.")
        self._end(CallStatus.PARTIAL, refusal.code)
        return _error_event(refusal)

    def hung_up(self) -> None:
        """Runs in the hub: only wakes the reader; its greenlet settles."""
        self._is_gone = True
        self._reply.close()

    def _end(self, status: CallStatus, error_code: str | None) -> int | None:
        self._is_ended = True
        try:
            return self._finish(status, self._rewriter, error_code, self._delivered_bytes)
        except Unavailable as voided:
            self._voided = voided
            return None
        except Exception:  # noqa: BLE001 - the one place where a stream's end may fail; recovery resolves the hold
            log.error("settlement_failed", exc_info=True)
            alarms.note("settlement_failed")
            return None


def _error_event(refusal: Refusal) -> bytes:
    """The event that ends a stream early, in the shape of any other error of ours."""
    return b"data: " + orjson.dumps(envelope(refusal)) + b"\n\n"
