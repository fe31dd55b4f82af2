"""A Checkout Session from the form that asks for it, held to Stripe's rules. Source: docs.stripe.com/api/checkout/sessions/create."""

import re
from typing import Any

from tests.fakes.stripe.forms import is_true, whole
from tests.fakes.stripe.objects import SESSION_FIELDS, Made, of_kind
from tests.fakes.stripe.refusals import Refused, invalid, needed, unknown

SOONEST_SECONDS, LATEST_SECONDS = 30 * 60, 24 * 3600
LEAST_CENTS = 50  # docs.stripe.com/currencies#minimum-and-maximum-charge-amounts


def asked_session(form: dict[str, Any], created: int, is_live: bool, base_url: str) -> Made:
    """The session, open. Raises Refused."""
    for name in form.keys() - SESSION_FIELDS:
        raise unknown(name)
    if form.get("mode") != "payment":
        raise invalid("mode", "This stand-in sells once, mode=payment.")
    cents, name = _line(form)
    _check_urls(form)
    _check_customer(form)
    metadata = _metadata(form.get("metadata"))
    made = of_kind("checkout.session", f"cs_{'live' if is_live else 'test'}", created, is_live)
    return made | {
        "amount_subtotal": cents,
        "amount_total": cents,
        "automatic_tax": {"enabled": _enabled(form, "automatic_tax"), "status": None},
        "cancel_url": form.get("cancel_url"),
        "client_reference_id": form.get("client_reference_id"),
        "currency": "usd",
        "customer": form.get("customer"),
        "customer_creation": form.get("customer_creation", "if_required"),
        "customer_details": {"email": form["customer_email"]} if "customer_email" in form else None,
        "customer_email": form.get("customer_email"),
        "expires_at": _expiry(form, created),
        "invoice": None,
        "invoice_creation": {"enabled": _enabled(form, "invoice_creation")},
        "metadata": metadata,
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": ["card", "us_bank_account"],
        "payment_status": "unpaid",
        "status": "open",
        "success_url": form["success_url"],
        "tax_id_collection": {"enabled": _enabled(form, "tax_id_collection")},
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "url": f"{base_url}/c/pay/{made['id']}",
        "_name": name,
        "_intent_metadata": _metadata((form.get("payment_intent_data") or {}).get("metadata")),
    }


def _line(form: dict[str, Any]) -> tuple[int, str]:
    lines = form.get("line_items")
    if not isinstance(lines, list) or len(lines) != 1:
        raise needed("line_items")
    price = lines[0].get("price_data") or {}
    if price.get("currency") != "usd":
        raise invalid("line_items[0][price_data][currency]", f"Invalid currency: {price.get('currency')}.")
    if not (price.get("product_data") or {}).get("name"):
        raise needed("line_items[0][price_data][product_data][name]")
    if price.get("tax_behavior") not in (None, "exclusive", "unspecified"):
        raise invalid("line_items[0][price_data][tax_behavior]", "This stand-in adds tax on top.")
    cents = whole(price.get("unit_amount"), "line_items[0][price_data][unit_amount]") * whole(
        lines[0].get("quantity"), "line_items[0][quantity]"
    )
    if cents < LEAST_CENTS:
        raise Refused("The Checkout Session's total amount due must add up to at least $0.50 usd", code="amount_too_small")
    if cents > 99_999_999:
        raise Refused("The Checkout Session's total amount must be no more than $999,999.99", code="amount_too_large")
    return cents, str(price["product_data"]["name"])


def _check_urls(form: dict[str, Any]) -> None:
    if "success_url" not in form:
        raise needed("success_url")
    for name in ("success_url", "cancel_url"):
        if name in form and not re.match(r"https?://[^/\s]+", form[name]):
            raise Refused("Not a valid URL", code="url_invalid", param=name)


def _check_customer(form: dict[str, Any]) -> None:
    if "customer" not in form:
        if "customer_update" in form:
            raise invalid("customer_update", "`customer_update` can only be used with `customer`.")
        return
    if "customer_email" in form:
        raise Refused("You may only specify one of these parameters: customer, customer_email.")
    if "customer_creation" in form:
        raise Refused("You may only specify one of these parameters: customer, customer_creation.")
    may = form.get("customer_update") or {}
    if _enabled(form, "tax_id_collection") and may.get("name") != "auto":
        raise Refused("Tax ID collection requires updating business name on the customer. Please set `customer_update[name]` to `auto`.")
    if _enabled(form, "automatic_tax") and may.get("address") != "auto":
        raise Refused(
            "Automatic tax calculation in Checkout requires a valid address on the Customer.", code="customer_tax_location_invalid"
        )


def _expiry(form: dict[str, Any], created: int) -> int:
    if "expires_at" not in form:
        return created + LATEST_SECONDS
    at = whole(form["expires_at"], "expires_at")
    if not created + SOONEST_SECONDS - 1 <= at <= created + LATEST_SECONDS:
        raise Refused(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.", param="expires_at"
        )
    return at


def _enabled(form: dict[str, Any], name: str) -> bool:
    return is_true((form.get(name) or {}).get("enabled"))


def _metadata(given: Any) -> dict[str, str]:
    metadata = dict(given or {})
    for name, value in metadata.items():
        if len(name) > 40 or len(value) > 500:
            raise invalid(f"metadata[{name}]", "Metadata values can have up to 500 characters.")
    return metadata
