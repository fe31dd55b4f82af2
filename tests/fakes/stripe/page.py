"""The page that a customer pays at, and one for whoever plays the bank. No assets, no script."""

from html import escape

from tests.fakes.stripe.objects import Made
from tests.fakes.stripe.shop import Shop

PAYING = {
    "pay": "Pay {amount} by card",
    "pay_later": "Pay {amount} by bank debit, which takes days",
    "decline": "Try a card that is declined",
}
_FRAME = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>body{{font:16px/1.5 sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}
form{{display:inline-block;margin:.25rem .25rem .25rem 0}}button{{font:inherit;padding:.5rem 1rem}}</style></head>
<body><main>{body}</main></body></html>"""


def checkout_page(session: Made, notice: str = "") -> str:
    """What the browser sees at the session's url."""
    if session["status"] != "open":
        words = "This payment is complete." if session["status"] == "complete" else "This checkout has expired."
        return _framed("Checkout", f"<h1>{words}</h1>{_back(session)}")
    amount = _dollars(session["amount_total"])
    notes = f'<p role="alert">{escape(notice)}</p>' if notice else ""
    tax = "<p>Tax is added when you pay.</p>" if session["automatic_tax"]["enabled"] else ""
    buttons = "".join(_button(f"/c/pay/{session['id']}/{verb}", words.format(amount=amount)) for verb, words in PAYING.items())
    return _framed("Checkout", f"<h1>{escape(session['_name'])}</h1><p>{amount}</p>{notes}{tax}{buttons}{_back(session)}")


def bank_page(shop: Shop) -> str:
    """What a bank decides about each payment, newest first."""
    with shop.lock:
        rows = [f"<li>{session['id']}: {session['status']}, {session['payment_status']}{_deciding(shop, session)}</li>"
                for session in reversed(shop.sessions.values())]  # fmt: skip
    return _framed("The bank", f"<h1>Payments</h1><ul>{''.join(rows)}</ul>")


def _deciding(shop: Shop, session: Made) -> str:
    intent = shop.intents.get(session["payment_intent"] or "")
    if intent is None:
        return ""
    if intent["status"] == "processing":
        return _verb("arrive", session, "Debit arrives") + _verb("bounce", session, "Debit bounces")
    if intent["status"] != "succeeded":
        return ""
    mine = [each for each in shop.disputes.values() if each["payment_intent"] == intent["id"] and each["status"] not in ("won", "lost")]
    refunds = [each for each in shop.refunds.values() if each["payment_intent"] == intent["id"] and each["status"] != "failed"]
    return (
        _verb("refund", intent, "Refund")
        + _verb("dispute", intent, "Dispute")
        + "".join(_verb("win", each, "We win") + _verb("lose", each, "We lose") for each in mine)
        + "".join(_verb("fail_refund", each, "Refund fails") for each in refunds)
    )


def _verb(verb: str, made: Made, words: str) -> str:
    return _button(f"/bank/{verb}/{made['id']}", words)


def _button(action: str, words: str) -> str:
    return f'<form method="post" action="{escape(action)}"><button>{escape(words)}</button></form>'


def _back(session: Made) -> str:
    return f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>' if session["cancel_url"] else ""


def _dollars(cents: int) -> str:
    return f"${cents // 100}.{cents % 100:02}"


def _framed(title: str, body: str) -> str:
    return _FRAME.format(title=title, body=body)
