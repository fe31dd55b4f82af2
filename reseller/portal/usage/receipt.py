"""/usage/calls/<id>: the receipt of one call."""

from flask import render_template

from reseller.domain import usage
from reseller.domain.desk.receipt import receipt_of
from reseller.errors import NotFound
from reseller.portal import acting
from reseller.portal.usage.blueprint import own_usage
from reseller.portal.usage.words import STATUS


@own_usage.get("/usage/calls/<call_id>")
@acting.scoped
def receipt(call_id: str) -> str:
    """The receipt, by the call's id in any shape."""
    named = usage.call_id_of(call_id)
    if named is None:
        raise NotFound("That is no request id. They look like req_ and 32 characters, or chatcmpl- and the same.")
    found = receipt_of(acting.scope().account_id, named)
    words = STATUS[found.status] if found.status else None
    return render_template("portal/usage/receipt.html", call=found, words=words, shown_id=usage.request_id(named))
