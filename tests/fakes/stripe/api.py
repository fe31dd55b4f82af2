"""Stripe's API: which request reads or does what. Source: docs.stripe.com/api; keys: docs.stripe.com/api/idempotent_requests."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

from tests.fakes.stripe.forms import parsed, whole
from tests.fakes.stripe.objects import REFUND_FIELDS, Made
from tests.fakes.stripe.refusals import Refused, invalid, needed, unknown
from tests.fakes.stripe.shop import Shop, shown

Form = dict[str, Any]
_ID = r"([A-Za-z0-9_]+)"
LISTED_BY = {
    "sessions": {"payment_intent", "customer", "status"},
    "charges": {"payment_intent", "customer"},
    "refunds": {"payment_intent", "charge"},
    "disputes": {"payment_intent", "charge"},
    "events": {"type", "types"},
    "intents": {"customer"},
    "customers": {"email"},
}
PATHS = {
    "sessions": "/v1/checkout/sessions",
    "charges": "/v1/charges",
    "refunds": "/v1/refunds",
    "disputes": "/v1/disputes",
    "events": "/v1/events",
    "intents": "/v1/payment_intents",
    "customers": "/v1/customers",
    "invoices": "/v1/invoices",
    "movements": "/v1/balance_transactions",
}
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "gte": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "lte": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
}


class Api:
    """Answers of one shop. `asked` is every request: method, path, form."""

    def __init__(self, shop: Shop, secret_key: str) -> None:
        self.shop = shop
        self.secret_key = secret_key
        self.asked: list[tuple[str, str, Form]] = []
        self.versions: set[str] = set()
        self._kept: dict[str, tuple[str, int, Made]] = {}

    def answer(self, method: str, path: str, text: str, headers: Any) -> tuple[int, dict[str, str], Made]:
        """Status, more headers, and the JSON of the answer."""
        try:
            self._check_key(headers.get("Authorization") or "")
            self.versions.add(headers.get("Stripe-Version") or "")
            form = parsed(text)
            self.asked.append((method, path, form))
            key = headers.get("Idempotency-Key") if method == "POST" else None
            with self.shop.lock:  # one after the other, so that a key is known once its first request is answered
                return self._once(key, f"{path}?{text}", lambda: self._do(method, path, form))
        except Refused as refusal:
            return refusal.status, {}, {"error": refusal.error}

    def _check_key(self, authorization: str) -> None:
        if authorization != f"Bearer {self.secret_key}":
            given = authorization.removeprefix("Bearer ")
            words = f"Invalid API Key provided: {given[:8]}{'*' * 12}{given[-4:]}" if given else "You did not provide an API key."
            raise Refused(words, status=401)

    def _once(self, key: str | None, request: str, do: Callable[[], Made]) -> tuple[int, dict[str, str], Made]:
        """A key that is known repeats its answer; with other parameters it is an error. Refused parameters are not kept."""
        if key is None:
            return 200, {}, do()
        if key in self._kept:
            known, status, answer = self._kept[key]
            if known != request:
                words = f"Keys for idempotent requests can only be used with the same parameters they were first used with. Key: {key}"
                raise Refused(words, kind="idempotency_error")
            return status, {"Idempotent-Replayed": "true", "Idempotency-Key": key}, answer
        answer = do()
        self._kept[key] = (request, 200, copy.deepcopy(answer))
        return 200, {"Idempotency-Key": key}, answer

    def forget_keys(self) -> None:
        """As Stripe does after a day."""
        with self.shop.lock:
            self._kept.clear()

    def _do(self, method: str, path: str, form: Form) -> Made:
        expand = form.get("expand") or []
        if not isinstance(expand, list):
            raise invalid("expand", "Invalid array")
        if (method, path) == ("POST", PATHS["sessions"]):
            return self._told(self.shop.open(form), expand)
        if (method, path) == ("POST", PATHS["refunds"]):
            return self._told(self._refund(form), expand)
        if expired := re.fullmatch(rf"{PATHS['sessions']}/{_ID}/expire", path):
            return self._told(self.shop.expire(expired[1]), expand)
        for kind, where in PATHS.items():
            if method == "GET" and path == where:
                return self._listed(kind, form, expand)
            if method == "GET" and (one := re.fullmatch(rf"{where}/{_ID}", path)):
                return self._told(self.shop.find(one[1]), expand)
        raise Refused(f"Unrecognized request URL ({method}: {path}).", status=404)

    def _refund(self, form: Form) -> Made:
        for name in form.keys() - REFUND_FIELDS:
            raise unknown(name)
        if "payment_intent" not in form:
            raise needed("payment_intent")
        reason = form.get("reason")
        if reason not in (None, "duplicate", "fraudulent", "requested_by_customer"):
            raise invalid("reason", f"Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer, not {reason}")
        cents = whole(form["amount"], "amount") if "amount" in form else None
        return self.shop.refund(form["payment_intent"], cents, dict(form.get("metadata") or {}), reason)

    def _listed(self, kind: str, form: Form, expand: list[str]) -> Made:
        """The newest first. Source: docs.stripe.com/api/pagination."""
        for name in form.keys() - LISTED_BY.get(kind, set()) - {"limit", "starting_after", "created", "expand"}:
            raise unknown(name)
        limit = whole(form.get("limit", "10"), "limit")
        if not 1 <= limit <= 100:
            raise invalid("limit", "Limit must be between 1 and 100.")
        everything = self.shop.events if kind == "events" else list(getattr(self.shop, kind).values())
        found = [each for each in reversed(everything) if _fits(each, form)]
        if "starting_after" in form:
            ids = [each["id"] for each in found]
            if form["starting_after"] not in ids:
                raise Refused(f"No such object: '{form['starting_after']}'", code="resource_missing", param="starting_after")
            found = found[ids.index(form["starting_after"]) + 1 :]
        inner = [path.removeprefix("data.") for path in expand]
        page = [self._told(each, inner) for each in found[:limit]]
        return {"object": "list", "data": page, "has_more": len(found) > limit, "url": PATHS[kind]}

    def _told(self, made: Made, expand: list[str]) -> Made:
        """A copy, with these ids replaced by their objects (docs.stripe.com/expand)."""
        copied = shown(copy.deepcopy(made))
        for path in expand:
            self._expand(copied, path.split("."), path)
        return copied

    def _expand(self, made: Made, path: list[str], whole_path: str) -> None:
        first, *rest = path
        if first not in made:
            raise Refused(f"This property cannot be expanded ({whole_path}).")
        value = made[first]
        if isinstance(value, str):
            made[first] = value = shown(copy.deepcopy(self.shop.find(value)))
        if rest and isinstance(value, dict):
            self._expand(value, rest, whole_path)


def _fits(made: Made, form: Form) -> bool:
    created = form.get("created", {})
    bounds = created if isinstance(created, dict) else {"gte": created, "lte": created}
    if not all(_COMPARED[name](made["created"], whole(at, "created")) for name, at in bounds.items()):
        return False
    if "types" in form and made["type"] not in form["types"]:
        return False
    return all(made.get(name) == form[name] for name in ("payment_intent", "charge", "customer", "status", "type", "email") if name in form)


def as_json(made: Made) -> bytes:
    return json.dumps(made, indent=2).encode()
