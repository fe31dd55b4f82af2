"""/overview: where a customer lands: their money."""

from flask import Blueprint, render_template

from reseller.database import acting_for, transaction
from reseller.domain import accounts, ledger
from reseller.portal import acting

overview = Blueprint("overview", __name__, template_folder="templates")


@overview.get("/overview")
@acting.personal
def show() -> str:
    account_id = accounts.home_of(acting.me().user_id)
    if account_id is None:
        return render_template("portal/overview.html", balance=None, account=None)
    with acting_for(account_id), transaction():
        balance, account = ledger.balance_now(account_id), accounts.name_of(account_id)
    return render_template("portal/overview.html", balance=balance, account=account)
