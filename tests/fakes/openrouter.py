"""A fake OpenRouter: a real HTTP server that answers, bills, fails and remembers as told.

In a test: `with FakeOpenRouter() as fake:` and `fake.base_url`. Alone: `python -m tests.fakes.openrouter --port 9000`.
A call is scripted by its model (`fake/hang`, `fake/status-429`: `openrouter_scenarios.SCENARIOS`), by the words of its
prompt (`fake.plans["those words"] = {…}`: for many calls at once), or by queueing options for a path:
`fake.script("/chat/completions", {"status": 503})`, over HTTP `POST /_script {"path":…, "replies":[…]}`.
Its bill differs from the list price by a seeded random factor per call. What it saw and billed: `requests` and
`billed`, over HTTP `GET /_requests` and `GET /_billed`; `POST /_reset` forgets all.
"""

import argparse
import contextlib
import random
import select
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.fakes.openrouter_account import Account
from tests.fakes.openrouter_calls import Call
from tests.fakes.openrouter_catalogue import EMBEDDING_MODELS, MODELS, prices_of
from tests.fakes.openrouter_replies import answer, refuse
from tests.fakes.openrouter_scenarios import plan_for, words_of

PAID_PATHS = ("/chat/completions", "/completions", "/embeddings")
PREFIX = "/api/v1"


class ClientGone(Exception):
    """The client closed its end before the answer was complete."""


class FakeOpenRouter:
    """The server and its memory. Starts at once on a free port of 127.0.0.1."""

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1", seed: int = 1, api_key: str | None = None) -> None:
        self.seed = seed
        self.api_key = api_key
        self.models: list[dict[str, Any]] = list(MODELS)
        self.embedding_models: list[dict[str, Any]] = list(EMBEDDING_MODELS)
        self.plans: dict[str, dict[str, Any]] = {}
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.forget()
        self._server = _Server((host, port), _Handler)
        self._server.fake = self
        self.port = self._server.server_address[1]
        self.base_url = f"http://{host}:{self.port}{PREFIX}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No longer listens; hanging answers end."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Scripts, requests and bills are gone and the random factors start anew."""
        with self.lock:
            self.scripts: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
            self.requests: list[dict[str, Any]] = []
            self.billed: list[dict[str, Any]] = []
            self.account = Account()
            self.connections = 0
            self._random = random.Random(self.seed)
            self._count = 0

    def script(self, path: str, *replies: dict[str, Any]) -> None:
        """The next calls of `path` are answered by these options, one each; then by their models again."""
        with self.lock:
            self.scripts[path].extend(replies)

    def call_for(self, path: str, request: dict[str, Any]) -> Call:
        """The call with its plan, its id and its own factor on the list price."""
        model = str(request.get("model", ""))
        plan = self.scripted(path)
        if plan is None:
            plan = self.plans.get(words_of(request))
        with self.lock:
            self._count += 1
            factor = Decimal(self._random.randrange(6_000, 10_000)) / 10_000
            id_ = f"gen-1756684800-fake{self.seed}x{self._count:08d}"
        return Call(id_, path, request, plan_for(model) if plan is None else plan, prices_of(model), factor)

    def scripted(self, path: str) -> dict[str, Any] | None:
        """The next scripted options of a path, None if there are none left."""
        with self.lock:
            queue = self.scripts[path]
            return queue.popleft() if queue else None

    def record(self, call: Call) -> None:
        """A row in `billed`, cost 0 until the call ends."""
        call.row = {
            "id": call.id,
            "cost": "0",
            "model": call.request.get("model"),
            "user": call.request.get("user"),
            "prompt_tokens": call.prompt_tokens,
            "completion_tokens": 0,
            "finished": False,
            "cancelled": False,
            "cancelled_at": None,
            "ended": False,
            "streamed": call.is_stream,
            "body": call.request,
        }
        with self.lock:
            self.billed.append(call.row)
            self.scripts[f"/generation?id={call.id}"].extend(call.plan.get("records", ()))

    def generation(self, id_: str) -> dict[str, Any] | None:
        """The record of a call that has ended, as GET /generation tells it."""
        with self.lock:
            row = next((r for r in self.billed if r["id"] == id_ and r["ended"]), None)
        if row is None:
            return None
        return {
            "id": id_,
            "total_cost": orjson.Fragment(row["cost"]),
            "usage": orjson.Fragment(row["cost"]),
            "model": row["model"],
            "tokens_prompt": row["prompt_tokens"] + 3,
            "tokens_completion": row["completion_tokens"] + 3,
            "native_tokens_prompt": row["prompt_tokens"],
            "native_tokens_completion": row["completion_tokens"],
            "native_tokens_reasoning": 0,
            "native_tokens_cached": 0,
            "finish_reason": None if row["cancelled"] else "stop",
            "cancelled": row["cancelled"],
            "streamed": row["streamed"],
            "is_byok": False,
            "provider_name": "FakeInfra",
            "external_user": row["user"],
            "created_at": datetime.now(UTC).isoformat(),
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    fake: FakeOpenRouter

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what this server is for: no traceback for them."""

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.fake.lock:
            self.fake.connections += 1
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection. It is also the `Wire` that answers are written to."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: what happened is in `requests`."""

    def do_GET(self) -> None:
        """Lists, records, and the fake's own memory."""
        fake, url = self.server.fake, urlsplit(self.path)
        path = url.path.removeprefix(PREFIX)
        if path in ("/_requests", "/_billed"):
            with fake.lock:
                return self._json(200, {"data": list(fake.requests if path == "/_requests" else fake.billed)})
        self._remember(path, b"")
        plan = fake.scripted(path) or fake.scripted(f"{path}?{url.query}")
        if plan is not None:
            self._plan = plan
            return answer(self, Call("gen-get", path, {}, {"status": 200, **plan}, (Decimal(0), Decimal(0)), Decimal(1)))
        if path == "/generation":
            found = fake.generation(parse_qs(url.query).get("id", [""])[0])
            return self._json(200, {"data": found}) if found else refuse(self, {"status": 404})
        if path in ("/credits", "/activity") or path.startswith("/keys/"):
            status, told = fake.account.answer(path, parse_qs(url.query), self.headers.get("Authorization", ""))
            return self._json(status, told) if status == 200 else refuse(self, {"status": status})
        lists = {"/models": fake.models, "/embeddings/models": fake.embedding_models}
        return self._json(200, {"data": lists[path]}) if path in lists else refuse(self, {"status": 404})

    def do_POST(self) -> None:
        """Paid calls, and the fake's own controls."""
        fake, path = self.server.fake, urlsplit(self.path).path.removeprefix(PREFIX)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path == "/_reset":
            fake.forget()
            return self._json(200, {})
        if path == "/_script":
            order = orjson.loads(body)
            fake.script(order["path"], *order["replies"])
            return self._json(200, {})
        self._remember(path, body)
        if fake.api_key is not None and self.headers.get("Authorization") != f"Bearer {fake.api_key}":
            return refuse(self, {"status": 401})
        return self._paid_call(path, body) if path in PAID_PATHS else refuse(self, {"status": 404})

    def _paid_call(self, path: str, body: bytes) -> None:
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError:
            return refuse(self, {"status": 400})
        call = self.server.fake.call_for(path, request)
        self.server.fake.record(call)
        self._plan = call.plan
        try:
            answer(self, call)
        except (ClientGone, OSError):
            self.close_connection = True
            call.book(cancelled_at=time.monotonic())
        return None if call.row["ended"] else call.book()

    def _remember(self, path: str, body: bytes) -> None:
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        seen = {"method": self.command, "path": path, "target": self.path, "headers": headers, "body": body.decode(errors="replace")}
        with self.server.fake.lock:
            self.server.fake.requests.append(seen)

    def _json(self, status: int, value: Any) -> None:
        body = orjson.dumps(value)
        self._plan = {}
        self.head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.send(body)
        self.end()

    # The wire.

    _plan: dict[str, Any] = {}
    _is_chunked = False

    def head(self, status: int, headers: dict[str, str]) -> None:
        self._is_chunked = "Transfer-Encoding" in headers
        if not self._is_chunked and "Content-Length" not in headers:
            headers = {**headers, "Connection": "close"}
            self.close_connection = True
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.raw(f"HTTP/1.1 {status} Status\r\nServer: cloudflare\r\n{lines}\r\n".encode())

    def send(self, piece: bytes) -> None:
        size = self._plan.get("bytes_per_write", 0)
        for start in range(0, len(piece), size or len(piece) or 1):
            part = piece[start : start + size] if size else piece
            self.raw(b"%x\r\n%b\r\n" % (len(part), part) if self._is_chunked else part)

    def raw(self, piece: bytes) -> None:
        self.pause(0)
        self.connection.sendall(piece)

    def end(self) -> None:
        if self._is_chunked:
            self.raw(b"0\r\n\r\n")

    def pause(self, milliseconds: float) -> None:
        """Wait, and notice at once when the client closes: raises ClientGone."""
        poller = select.poll()
        poller.register(self.connection, select.POLLIN)
        if not poller.poll(milliseconds):
            return
        with contextlib.suppress(BlockingIOError):
            if self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
                raise ClientGone

    def hang(self) -> None:
        while not self.server.fake.stopping.is_set():
            self.pause(100)
        self.close_connection = True

    def drop(self, *, is_reset: bool) -> None:
        self.close_connection = True
        if is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve until interrupted; prints the base URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--api-key", default=None)
    chosen = parser.parse_args()
    with FakeOpenRouter(port=chosen.port, host=chosen.host, seed=chosen.seed, api_key=chosen.api_key) as fake:
        print(fake.base_url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            fake.stopping.wait()


if __name__ == "__main__":
    main()
