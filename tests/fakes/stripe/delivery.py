"""Events on their way to a webhook: one after the other, by a thread of their own, or kept back.

Source: docs.stripe.com/webhooks: a POST of the event with Stripe-Signature; anything but 2xx is a failure, and so is a redirect.
"""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import stripe

from reseller.clock import unix_seconds
from tests.fakes.stripe.objects import Made

SECONDS = 20.0


class Delivery:
    """`statuses`: what the webhook answered to each event, in order; 0 for no answer."""

    def __init__(self, webhook: str, secret: str) -> None:
        self.webhook = webhook
        self.secret = secret
        self.is_held = False
        self.held: list[Made] = []
        self.statuses: dict[str, list[int]] = {}
        self._waiting: queue.Queue[Made | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def send_soon(self, event: Made) -> None:
        if self.is_held or not self.webhook:
            self.held.append(event)
        else:
            self._waiting.put(event)

    def signed(self, event: Made, *, at: int | None = None) -> tuple[bytes, str]:
        """The bytes of the event, and the header that goes with them."""
        text = json.dumps(event, indent=2)
        header = stripe.WebhookSignature.generate_signature_header(text, self.secret, unix_seconds() if at is None else at)
        return text.encode(), header

    def deliver(self, event: Made) -> int:
        """Now, by the caller's thread; the status of the answer, 0 if there is none."""
        raw, header = self.signed(event)
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": header, "User-Agent": "Stripe/1.0"}
        try:
            status = requests.post(self.webhook, data=raw, headers=headers, timeout=SECONDS, allow_redirects=False).status_code
        except requests.RequestException:
            status = 0
        self.statuses.setdefault(event["id"], []).append(status)
        return status

    @contextmanager
    def hold_back(self) -> Iterator[list[Made]]:
        """What happens meanwhile is told to nobody; the events are the test's."""
        self.is_held, held = True, len(self.held)
        kept: list[Made] = []
        try:
            yield kept
        finally:
            self.is_held = False
            kept += self.held[held:]

    def settle(self, seconds: float = SECONDS) -> bool:
        """Everything so far has been delivered, or has been tried; False if that takes too long."""
        waiter = threading.Thread(target=self._waiting.join, daemon=True)
        waiter.start()
        waiter.join(seconds)
        return not waiter.is_alive()

    def stop(self) -> None:
        self._waiting.put(None)
        self._thread.join(5)

    def _work(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self.deliver(event)
            finally:
                self._waiting.task_done()
        self._waiting.task_done()
