"""The blueprint of the billing pages, apart from them so that each can hang itself on it."""

import shlex

from flask import Blueprint

from reseller.portal import acting
from reseller.portal.billing import words
from reseller.web.signed_in import person
from reseller.wiring import wiring

billing = Blueprint("billing", __name__, template_folder="../templates")
billing.add_app_template_filter(words.month_name)
billing.add_app_template_filter(words.day_name)


@billing.app_template_global()
def grant_command() -> str | None:
    """What gives credit to whoever looks, on the machine that the shop runs on; in development alone."""
    who = person()
    if wiring().settings.reseller_env != "development" or who is None or acting.scope().viewing_id is not None:
        return None
    return f"flask credits grant {shlex.quote(who.email)} 10 --reason trying"
