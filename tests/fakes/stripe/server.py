"""The stand-in as a server, and the hand that tests play it with."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from tests.fakes.stripe.api import Api, as_json
from tests.fakes.stripe.delivery import Delivery
from tests.fakes.stripe.objects import Made
from tests.fakes.stripe.page import PAYING, bank_page, checkout_page
from tests.fakes.stripe.refusals import Refused
from tests.fakes.stripe.shop import Shop

KEY, SECRET = "sk_test_51FakeFakeFakeFake", "whsec_FakeFakeFakeFakeFakeFake"
REDIRECT_SECONDS = 10.0
"""How long Checkout waits for the webhook before it sends the browser back (docs.stripe.com/checkout/fulfillment)."""
DECIDING = ("arrive", "bounce", "refund", "fail_refund", "dispute", "win", "lose")
Answer = tuple[int, dict[str, str], bytes]


class FakeStripe:
    """Listens once made, until `stop` or the end of the with. Verbs return the object that changed, once its events are delivered.

    `is_down`: every answer of the API is a 503. `delay_seconds`: how long each takes. `loses_answers`: so many requests are done and
    their connection is closed instead of answered.
    """

    def __init__(
        self, *, webhook: str = "", port: int = 0, secret_key: str = KEY, webhook_secret: str = SECRET, tax_percent: int = 0
    ) -> None:
        self.secret_key, self.webhook_secret = secret_key, webhook_secret
        self.is_down, self.delay_seconds, self.loses_answers = False, 0.0, 0
        self.shop = Shop(is_live=secret_key.startswith(("sk_live_", "rk_live_")), tax_percent=tax_percent)
        self.api = Api(self.shop, secret_key)
        self.delivery = Delivery(webhook, webhook_secret)
        self.shop.on_event = self.delivery.send_soon
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self._server.daemon_threads = True
        self.url = self.shop.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self.delivery.stop()

    def settings(self) -> dict[str, str]:
        """What a deployment says to buy here."""
        return {"STRIPE_SECRET_KEY": self.secret_key, "STRIPE_WEBHOOK_SECRET": self.webhook_secret, "STRIPE_API_BASE": self.url}

    # Events

    @property
    def webhook(self) -> str:
        return self.delivery.webhook

    @webhook.setter
    def webhook(self, url: str) -> None:
        self.delivery.webhook = url

    @property
    def events(self) -> list[Made]:
        """All there have been, delivered or not, in the order in which things happened."""
        return list(self.shop.events)

    def events_of(self, *types: str) -> list[Made]:
        return [event for event in self.events if event["type"] in types]

    def deliver(self, event: Made) -> int:
        """Now and by the caller's thread, also if it was before; the status of the answer, 0 if there is none."""
        return self.delivery.deliver(event)

    def signed(self, event: Made, *, at: int | None = None) -> tuple[bytes, str]:
        """What a delivery would post: raw body and Stripe-Signature, made at this time."""
        return self.delivery.signed(event, at=at)

    def hold_back(self) -> AbstractContextManager[list[Made]]:
        """Inside, events are kept; the list has them afterwards, and nobody is told unless the test does."""
        return self.delivery.hold_back()

    def settle(self) -> None:
        assert self.delivery.settle(), "the webhook does not answer"

    # What happens at Stripe

    def pay(self, session_id: str) -> Made:
        return self._happened(self.shop.pay, session_id)

    def pay_later(self, session_id: str) -> Made:
        return self._happened(self.shop.pay_later, session_id)

    def arrive(self, session_id: str) -> Made:
        return self._happened(self.shop.arrive, session_id)

    def bounce(self, session_id: str) -> Made:
        return self._happened(self.shop.bounce, session_id)

    def decline(self, session_id: str) -> Made:
        return self._happened(self.shop.decline, session_id)

    def expire(self, session_id: str) -> Made:
        return self._happened(self.shop.expire, session_id)

    def refund(self, intent_id: str, cents: int | None = None) -> Made:
        """In Stripe's dashboard."""
        return self._happened(self.shop.refund, intent_id, cents)

    def fail_refund(self, refund_id: str) -> Made:
        return self._happened(self.shop.fail_refund, refund_id)

    def dispute(self, intent_id: str, cents: int | None = None) -> Made:
        return self._happened(self.shop.dispute, intent_id, cents)

    def win(self, dispute_id: str) -> Made:
        return self._happened(self.shop.win, dispute_id)

    def lose(self, dispute_id: str) -> Made:
        return self._happened(self.shop.lose, dispute_id)

    def foreign_payment(self, cents: int = 2_000) -> Made:
        return self._happened(self.shop.foreign_payment, cents)

    def _happened(self, verb: Callable[..., Made], *args: Any) -> Made:
        made = verb(*args)
        self.settle()
        return made

    # HTTP

    def answer(self, method: str, target: str, body: str, headers: Any) -> Answer | None:
        """What the server says; None to hang up."""
        split = urlsplit(target)
        if not split.path.startswith("/v1/"):
            return self._page(method, split.path)
        time.sleep(self.delay_seconds)
        if self.is_down:
            return 503, {}, as_json({"error": {"type": "api_error", "message": "Stripe is down."}})
        status, more, made = self.api.answer(method, split.path, body if method == "POST" else split.query, headers)
        if self.loses_answers > 0:
            self.loses_answers -= 1
            return None
        return status, more, as_json(made)

    def _page(self, method: str, path: str) -> Answer:
        parts = path.strip("/").split("/")
        try:
            if (method, path) == ("GET", "/"):
                return _html(bank_page(self.shop))
            if method == "POST" and parts[0] == "bank" and len(parts) == 3 and parts[1] in DECIDING:
                getattr(self.shop, parts[1])(parts[2])
                return 303, {"Location": "/"}, b""
            if parts[:2] == ["c", "pay"] and len(parts) == 3 and method == "GET":
                return _html(checkout_page(self.shop.find(parts[2])))
            if parts[:2] == ["c", "pay"] and len(parts) == 4 and method == "POST" and parts[3] in PAYING:
                return self._paid(parts[2], parts[3])
        except Refused as refusal:
            return _html(f"<!doctype html><title>Refused</title><p>{refusal}", refusal.status)
        return _html("<!doctype html><title>Nothing</title><p>There is no such page.", 404)

    def _paid(self, session_id: str, verb: str) -> Answer:
        session = getattr(self.shop, verb)(session_id)
        if verb == "decline":
            return _html(checkout_page(session, "Your card was declined."))
        self.delivery.settle(REDIRECT_SECONDS)
        return 303, {"Location": session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id)}, b""


def _html(text: str, status: int = 200) -> Answer:
    return status, {"Content-Type": "text/html; charset=utf-8"}, text.encode()


def _handler_of(fake: FakeStripe) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"] or 0)).decode())

        def _answer(self, body: str) -> None:
            answer = fake.answer(self.command, self.path, body, self.headers)
            if answer is None:
                self.close_connection = True
                return
            status, more, content = answer
            self.send_response(status)
            for name, text in {
                "Content-Type": "application/json",
                "Request-Id": "req_fake",
                "Content-Length": str(len(content)),
                **more,
            }.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

    return Handler
