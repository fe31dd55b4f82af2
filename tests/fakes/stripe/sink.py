"""A shop as Stripe sees it: a webhook, and pages to send browsers back to."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from reseller.clients.stripe_api import Event, StripeApi


class Sink:
    """A webhook that believes what is signed; `status` is its answer, `events` what it was told."""

    def __init__(self, secret: str) -> None:
        self.status = 200
        self.events: list[Event] = []
        self._knows = StripeApi("sk_test_x", secret)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/callbacks/stripe"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<title>Shop</title>")

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                sink.events.append(sink._knows.read_event(raw, self.headers["Stripe-Signature"]))
                self.send_response(sink.status)
                self.end_headers()

        return Handler
