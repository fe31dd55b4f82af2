"""/overview: where a customer lands: their money."""

from flask import Blueprint, render_template

from reseller.database import transaction
from reseller.domain import accounts, ledger
from reseller.portal import acting

overview = Blueprint("overview", __name__, template_folder="templates")


@overview.get("/overview")
@acting.scoped
def show() -> str:
    account_id = acting.scope().account_id
    with transaction():
        balance, account = ledger.balance_now(account_id), accounts.name_of(account_id)
    return render_template("portal/overview.html", balance=balance, account=account)
