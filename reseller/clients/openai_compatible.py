"""Any upstream that speaks OpenAI's dialect over HTTP: paid calls by the transport, lists by requests.

It has no records by generation id and no second list of models; `openrouter.py` adds both.
Nothing of a customer's request but the body that the gateway built reaches it (promises R27, R28).
"""

import json
import re
from typing import Any, NoReturn

import requests
import urllib3

from reseller.clients.breaker import Breaker
from reseller.clients.connections import Connections
from reseller.clients.contract import GenerationRecord, UpstreamSettings
from reseller.clients.failures import DOWN, SLOW, BrokenAnswer, failure_of
from reseller.clients.sessions import PlainSession
from reseller.clients.transport import Exchange, Patience, Transport
from reseller.clock import monotonic
from reseller.errors import UpstreamDown, UpstreamFailure, UpstreamTimeout
from reseller.money import exact_number

ERROR_BODY_BYTES = 65_536
LIST_SECONDS = 30.0
MAX_PAGES = 50
ACCEPT_STREAM = "text/event-stream"
ACCEPT_WHOLE = "application/json"


class HttpReply:
    """A 2xx answer over the wire; tells the breaker when it breaks off."""

    __slots__ = ("_breaker", "_exchange", "_has_broken", "_is_closed", "generation_id", "is_stream")

    def __init__(self, exchange: Exchange, breaker: Breaker, *, is_stream: bool) -> None:
        self._exchange = exchange
        self._breaker = breaker
        self._has_broken = self._is_closed = False
        self.is_stream = is_stream
        self.generation_id: str | None = _generation_id(exchange.headers.get("x-generation-id", ""))

    def read1(self, wait_seconds: float | None = None) -> bytes | None:
        try:
            return self._exchange.read1(wait_seconds)
        except (UpstreamDown, UpstreamTimeout):
            self._note_break()
            raise

    def read_all(self) -> bytes:
        try:
            return self._exchange.read_all()
        except (UpstreamDown, UpstreamTimeout):
            self._note_break()
            raise

    def close(self) -> None:
        self._is_closed = True
        self._exchange.close()

    def _note_break(self) -> None:
        """Once per call, and not for a break that we made ourselves by closing."""
        if not self._has_broken and not self._is_closed:
            self._has_broken = True
            self._breaker.broke()


class OpenAICompatible:
    """One OpenAI-compatible upstream. Raises ValueError for settings that cannot be put into a request."""

    has_records = False
    takes_price_cap = False

    def __init__(self, name: str, settings: UpstreamSettings) -> None:
        self.name = name
        self.breaker = Breaker()
        self._settings = settings
        self._base_url = settings.base_url.rstrip("/")
        self._connections = Connections(self._base_url, connect_seconds=settings.connect_seconds)
        patience = Patience(settings.first_byte_seconds, settings.idle_seconds, settings.total_seconds)
        self._transport = Transport(self._connections, self.headers(), patience)

    def headers(self) -> dict[str, str]:
        """The headers of every request, made of the operator's settings alone."""
        return {"Authorization": f"Bearer {self._settings.api_key}"} if self._settings.api_key else {}

    def check(self) -> None:
        self.breaker.check()

    def send(self, path: str, body: bytes, *, is_stream: bool, scenario: str | None = None) -> HttpReply:
        """As `contract.Upstream.send`; a scenario is for the sandbox and ignored here."""
        is_probe = self.breaker.enter()
        accept, cap = (ACCEPT_STREAM, self._settings.stream_cap_bytes) if is_stream else (ACCEPT_WHOLE, self._settings.body_cap_bytes)
        try:
            exchange = self._transport.post(path, body, accept=accept, max_body_bytes=cap)
        except UpstreamFailure:
            self.breaker.failed(is_probe)
            raise
        except BaseException:
            self.breaker.left(is_probe)
            raise
        if not 200 <= exchange.status < 300:
            self._refuse(exchange, is_probe)
        if exchange.headers.get("content-encoding", "identity").lower() != "identity":
            exchange.close()
            self.breaker.succeeded(is_probe)
            raise BrokenAnswer("the answer is encoded although we asked for none")
        self.breaker.succeeded(is_probe)
        content_type = exchange.headers.get("content-type", "").lower()
        return HttpReply(exchange, self.breaker, is_stream=is_stream and content_type.startswith("text/event-stream"))

    def list_models(self) -> list[dict[str, Any]]:
        """The entries of /models, as they are. Raises UpstreamFailure."""
        return self._list("/models")

    def find_generation(self, generation_id: str) -> GenerationRecord | None:
        """None: this dialect has no such question."""
        return None

    def close(self) -> None:
        """Idle connections are closed."""
        self._connections.close()

    def _refuse(self, exchange: Exchange, is_probe: bool) -> NoReturn:
        """Raise our word for a non-2xx answer. The breaker hears of it first: reading may take seconds."""
        if exchange.status >= 500:
            self.breaker.failed(is_probe)
        else:
            self.breaker.succeeded(is_probe)
        body = exchange.read_start(ERROR_BODY_BYTES)
        raise failure_of(exchange.status, body, retry_after=exchange.headers.get("retry-after"))

    def _list(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list. Pages are asked for by our own offset, so no address from outside is followed."""
        entries: dict[str, dict[str, Any]] = {}
        with open_session(self.headers()) as session:
            for _ in range(MAX_PAGES):
                page = self._get(session, path, {"offset": str(len(entries))} if entries else {})
                known = len(entries)
                for entry in _entries_of(page):
                    entries.setdefault(entry["id"], entry)
                links = page.get("links")
                if len(entries) == known or not isinstance(links, dict) or not links.get("next"):
                    break
        return list(entries.values())

    def _get(self, session: requests.Session, path: str, query: dict[str, str]) -> dict[str, Any]:
        """The JSON object at a path. Raises our refusal for any other answer."""
        status, body = self._fetch(session, path, query)
        if status == 404:
            raise failure_of(status, body)
        return parse_object(body)

    def _fetch(self, session: requests.Session, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        """Status (200 or 404) and body of a GET, in bounded time and size. Raises our refusal for any other answer."""
        timeout = (self._settings.connect_seconds, min(self._settings.first_byte_seconds, LIST_SECONDS))
        try:
            with session.get(self._base_url + path, params=query, timeout=timeout, allow_redirects=False, stream=True) as response:
                is_wanted = response.status_code in (200, 404)
                body = _body_of(response, self._settings.body_cap_bytes) if is_wanted else _start_of(response)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise UpstreamTimeout(SLOW, status=504) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise UpstreamDown(DOWN) from error
        if not is_wanted:
            raise failure_of(response.status_code, body, retry_after=response.headers.get("retry-after"))
        return response.status_code, body


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object whose broken numbers are Decimal and whose NaN is refused. Raises BrokenAnswer."""
    try:
        parsed = json.loads(body, parse_float=exact_number, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BrokenAnswer("the answer is not JSON") from error
    if not isinstance(parsed, dict):
        raise BrokenAnswer("the answer is not a JSON object")
    return parsed


def open_session(headers: dict[str, str]) -> requests.Session:
    """A session for lists and records, with these headers."""
    return PlainSession({**headers, "Accept": ACCEPT_WHOLE})


def _body_of(response: requests.Response, max_bytes: int) -> bytes:
    """The body, in bounded time and size. Raises BrokenAnswer, UpstreamTimeout."""
    body = _read_until(response, max_bytes + 1)
    if len(body) > max_bytes:
        raise BrokenAnswer("the answer is too large")
    return body


def _start_of(response: requests.Response) -> bytes:
    """What an answer that we cannot use says first; enough for its words. Raises UpstreamTimeout."""
    return _read_until(response, ERROR_BODY_BYTES)[:ERROR_BODY_BYTES]


def _read_until(response: requests.Response, enough_bytes: int) -> bytes:
    """The body, or its start of at least that many bytes. Raises UpstreamTimeout."""
    deadline = monotonic() + LIST_SECONDS
    pieces = []
    size = 0
    while size < enough_bytes and (piece := response.raw.read1(65_536, decode_content=True)):
        if monotonic() > deadline:
            raise UpstreamTimeout(SLOW, status=504)
        size += len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _generation_id(header: str) -> str | None:
    return header if re.fullmatch(r"[A-Za-z0-9_.:-]{1,128}", header) else None


def _entries_of(page: dict[str, Any]) -> list[dict[str, Any]]:
    listed = page.get("data")
    if not isinstance(listed, list):
        raise BrokenAnswer("the list of models is not a list")
    return [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
