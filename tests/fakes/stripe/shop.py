"""What Stripe remembers, and what happens to it: each verb moves objects and makes the events that real Stripe sends for it."""

import copy
import threading
from collections.abc import Callable
from typing import Any

import stripe

from reseller.clock import unix_seconds
from tests.fakes.stripe import objects
from tests.fakes.stripe.objects import Made
from tests.fakes.stripe.refusals import Refused, missing
from tests.fakes.stripe.sessions import asked_session

DISPUTE_FEE = 1500
KINDS = {"cs": "sessions", "pi": "intents", "ch": "charges", "re": "refunds", "dp": "disputes", "cus": "customers", "in": "invoices"}
KINDS |= {"txn": "movements", "evt": "by_event_id"}


class Shop:
    """Safe for threads. Objects may be changed by tests as they like; `events` are as they were when they were made."""

    def __init__(self, *, is_live: bool = False, tax_percent: int = 0) -> None:
        self.is_live = is_live
        self.tax_percent = tax_percent
        self.url = ""
        self.lock = threading.RLock()
        self.events: list[Made] = []
        self.on_event: Callable[[Made], None] = lambda event: None
        for kind in KINDS.values():
            setattr(self, kind, {})
        self.sessions: dict[str, Made]
        self.intents: dict[str, Made]
        self.charges: dict[str, Made]
        self.refunds: dict[str, Made]
        self.disputes: dict[str, Made]
        self.customers: dict[str, Made]
        self.invoices: dict[str, Made]
        self.movements: dict[str, Made]
        self.by_event_id: dict[str, Made]

    def now(self) -> int:
        return unix_seconds()

    def find(self, id_: str, param: str = "id") -> Made:
        """Whatever has this id. Raises Refused."""
        kind = KINDS.get(id_.split("_")[0], "")
        with self.lock:
            found: Made | None = getattr(self, kind, {}).get(id_)
            if found is None:
                raise missing(kind.removesuffix("s") or "object", id_, param)
            if kind == "sessions" and found["status"] == "open" and found["expires_at"] <= self.now():
                self._over(found)
            return found

    def emit(self, kind: str, body: Made) -> None:
        event = objects.event(self.now(), self.is_live, kind, shown(copy.deepcopy(body)), stripe.api_version)
        self.events.append(event)
        self.by_event_id[event["id"]] = event
        self.on_event(event)

    # Checkout

    def open(self, form: dict[str, Any]) -> Made:
        with self.lock:
            made = asked_session(form, self.now(), self.is_live, self.url)
            if made["customer"] is not None:
                self.find(made["customer"], "customer")
            return self._keep(self.sessions, made)

    def expire(self, session_id: str) -> Made:
        with self.lock:
            session = self._open_session(session_id, "expired")
            self._over(session)
            return session

    def pay(self, session_id: str) -> Made:
        """With a card, which the bank takes at once."""
        with self.lock:
            session = self._open_session(session_id, "paid")
            self._complete(session, is_card=True)
            self._money_comes(session["payment_intent"])
            session["payment_status"] = "paid"
            self._invoiced(session)
            self.emit("checkout.session.completed", session)
            charge = self._charge_of(session["payment_intent"])
            self._book(charge)
            self.emit("charge.updated", charge)
            return session

    def pay_later(self, session_id: str) -> Made:
        """By a debit, of which nobody knows for days whether it will be paid."""
        with self.lock:
            session = self._open_session(session_id, "paid")
            self._complete(session, is_card=False)
            self.intents[session["payment_intent"]]["status"] = "processing"
            self.emit("payment_intent.processing", self.intents[session["payment_intent"]])
            self.emit("charge.pending", self._charge_of(session["payment_intent"]))
            self.emit("checkout.session.completed", session)
            return session

    def arrive(self, session_id: str) -> Made:
        """The debit is paid."""
        with self.lock:
            session = self._waiting_session(session_id)
            self._book(self._charge_of(session["payment_intent"]))
            self._money_comes(session["payment_intent"])
            session["payment_status"] = "paid"
            self._invoiced(session)
            self.emit("checkout.session.async_payment_succeeded", session)
            return session

    def bounce(self, session_id: str) -> Made:
        """The debit is not paid; the session stays complete and unpaid for ever."""
        with self.lock:
            session = self._waiting_session(session_id)
            self._money_fails(session["payment_intent"], "insufficient_funds")
            self.emit("checkout.session.async_payment_failed", session)
            return session

    def decline(self, session_id: str) -> Made:
        """The bank refuses the card; the session stays open for another try."""
        with self.lock:
            session = self._open_session(session_id, "paid")
            self._attempt(session, is_card=True)
            self._money_fails(session["payment_intent"], "card_declined")
            return session

    def foreign_payment(self, cents: int = 2_000) -> Made:
        """Somebody pays for something that is none of ours, on the same account."""
        with self.lock:
            made = self._keep(self.intents, objects.intent(self.now(), self.is_live, cents, "usd", None, {}))
            self._keep(self.charges, objects.charge(self.now(), self.is_live, made, is_card=True, base_url=self.url))
            made["latest_charge"] = next(reversed(self.charges))
            self._book(self._charge_of(made["id"]))
            self._money_comes(made["id"])
            return made

    # Money back

    def refund(self, intent: str, cents: int | None = None, metadata: dict[str, str] | None = None, reason: str | None = None) -> Made:
        """All that is left of the payment, or so many cents. Raises Refused."""
        with self.lock:
            self.find(intent, "payment_intent")
            charge = self._charge_of(intent)
            left = charge["amount_captured"] - charge["amount_refunded"]
            cents = left if cents is None else cents
            self._may_refund(charge, cents, left)
            made = self._keep(self.refunds, objects.refund(self.now(), charge, cents, metadata or {}, reason))
            made["balance_transaction"] = self._moved("refund", -cents, 0, made)["id"]
            self._refunded(charge, cents)
            self.emit("refund.created", made)
            self.emit("charge.refunded", charge)
            self.emit("refund.updated", made)
            self.emit("charge.refund.updated", made)
            return made

    def fail_refund(self, refund: str) -> Made:
        """The bank sends the refund back (docs.stripe.com/refunds#failed-refunds)."""
        with self.lock:
            made = self.find(refund)
            if made["status"] == "failed":
                raise Refused("This refund has failed already.")
            made |= {"status": "failed", "failure_reason": "unknown"}
            made["failure_balance_transaction"] = self._moved("refund_failure", made["amount"], 0, made)["id"]
            self._refunded(self.charges[made["charge"]], -made["amount"])
            self.emit("refund.failed", made)
            self.emit("refund.updated", made)
            self.emit("charge.refund.updated", made)
            return made

    def dispute(self, intent: str, cents: int | None = None) -> Made:
        """The bank takes the payment, or so many cents of it, back until it has decided."""
        with self.lock:
            charge = self._charge_of(self.find(intent)["id"])
            amount = charge["amount"] - charge["amount_refunded"] if cents is None else cents
            made = self._keep(self.disputes, objects.dispute(self.now(), self.is_live, charge, amount))
            made["balance_transactions"].append(self._moved("adjustment", -amount, DISPUTE_FEE, made))
            charge["disputed"] = True
            self.emit("charge.dispute.created", made)
            self.emit("charge.dispute.funds_withdrawn", made)
            return made

    def win(self, dispute: str) -> Made:
        with self.lock:
            made = self._open_dispute(dispute)
            made["status"] = "won"
            made["balance_transactions"].append(self._moved("adjustment", made["amount"], 0, made))
            self.emit("charge.dispute.funds_reinstated", made)
            self.emit("charge.dispute.updated", made)
            self.emit("charge.dispute.closed", made)
            return made

    def lose(self, dispute: str) -> Made:
        with self.lock:
            made = self._open_dispute(dispute)
            made["status"] = "lost"
            self.emit("charge.dispute.updated", made)
            self.emit("charge.dispute.closed", made)
            return made

    # Inside, under the lock

    @staticmethod
    def _keep(where: dict[str, Made], made: Made) -> Made:
        where[made["id"]] = made
        return made

    def _over(self, session: Made) -> None:
        session |= {"status": "expired", "url": None}
        self.emit("checkout.session.expired", session)

    def _open_session(self, session_id: str, verb: str) -> Made:
        session = self.find(session_id)
        if session["status"] != "open":
            words = f'Only Checkout Sessions with a status in ["open"] can be {verb}. This Session has a status of {session["status"]}.'
            raise Refused(words)
        return session

    def _waiting_session(self, session_id: str) -> Made:
        session = self.find(session_id)
        if session["status"] != "complete" or self.intents[session["payment_intent"]]["status"] != "processing":
            raise Refused("This session waits for no money.")
        return session

    def _open_dispute(self, dispute: str) -> Made:
        made = self.find(dispute)
        if made["status"] in ("won", "lost"):
            raise Refused("This dispute is already closed.")
        return made

    def _attempt(self, session: Made, *, is_card: bool) -> None:
        """The intent is made with the first try (docs.stripe.com/changelog, 2022-08-01)."""
        if session["payment_intent"] is None:
            metadata = dict(session["_intent_metadata"])
            made = objects.intent(self.now(), self.is_live, session["amount_total"], session["currency"], session["customer"], metadata)
            session["payment_intent"] = self._keep(self.intents, made)["id"]
            self.emit("payment_intent.created", made)
        intent = self.intents[session["payment_intent"]]
        intent |= {"amount": session["amount_total"], "customer": session["customer"]}
        charge = self._keep(self.charges, objects.charge(self.now(), self.is_live, intent, is_card=is_card, base_url=self.url))
        intent["latest_charge"] = charge["id"]

    def _complete(self, session: Made, *, is_card: bool) -> None:
        if session["customer"] is None and session["customer_creation"] == "always":
            made = objects.of_kind("customer", "cus", self.now(), self.is_live, email=session["customer_email"], metadata={})
            session["customer"] = self._keep(self.customers, made)["id"]
            self.emit("customer.created", made)
        if session["automatic_tax"]["enabled"]:
            tax = (session["amount_subtotal"] * self.tax_percent + 50) // 100
            session["total_details"]["amount_tax"] = tax
            session["amount_total"] = session["amount_subtotal"] + tax
            session["automatic_tax"]["status"] = "complete"
        self._attempt(session, is_card=is_card)
        session |= {"status": "complete", "url": None}

    def _charge_of(self, intent_id: str) -> Made:
        latest = self.intents[intent_id]["latest_charge"]
        if latest is None:
            raise Refused("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
        return self.charges[latest]

    def _money_comes(self, intent_id: str) -> None:
        intent, charge = self.intents[intent_id], self._charge_of(intent_id)
        charge |= {"status": "succeeded", "paid": True, "amount_captured": charge["amount"]}
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
        self.emit("charge.succeeded", charge)
        self.emit("payment_intent.succeeded", intent)

    def _money_fails(self, intent_id: str, code: str) -> None:
        intent, charge = self.intents[intent_id], self._charge_of(intent_id)
        charge |= {"status": "failed", "failure_code": code, "failure_message": "Your card was declined."}
        error = {"code": code, "message": "Your card was declined.", "type": "card_error"}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        self.emit("charge.failed", charge)
        self.emit("payment_intent.payment_failed", intent)

    def _book(self, charge: Made) -> None:
        """For a card this comes after the charge (docs.stripe.com/payments/payment-intents/asynchronous-capture)."""
        moved = self._moved("charge", charge["amount"], objects.fee_of(charge["amount"]), charge)
        charge["balance_transaction"] = moved["id"]

    def _moved(self, kind: str, cents: int, fee: int, source: Made) -> Made:
        return self._keep(self.movements, objects.movement(self.now(), kind, cents, fee, source["id"], source["currency"]))

    def _invoiced(self, session: Made) -> None:
        if not session["invoice_creation"]["enabled"]:
            return
        made = objects.of_kind("invoice", "in", self.now(), self.is_live, customer=session["customer"], status="paid")
        made |= {"total": session["amount_total"], "hosted_invoice_url": f"{self.url}/invoices/{made['id']}"}
        session["invoice"] = self._keep(self.invoices, made)["id"]
        self.emit("invoice.paid", made)

    def _refunded(self, charge: Made, cents: int) -> None:
        charge["amount_refunded"] += cents
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]

    @staticmethod
    def _may_refund(charge: Made, cents: int, left: int) -> None:
        """docs.stripe.com/error-codes: charge_already_refunded, charge_disputed."""
        if charge["status"] != "succeeded":
            raise Refused("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
        if charge["disputed"]:
            raise Refused(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
        if left <= 0:
            raise Refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if cents <= 0:
            raise Refused("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount")
        if cents > left:
            words = f"Refund amount (${cents / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})"
            raise Refused(words, param="amount")


def shown(made: Made) -> Made:
    """Without what only we remember."""
    return {name: value for name, value in made.items() if not name.startswith("_")}
