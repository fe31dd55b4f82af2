"""/sign-up, /verify/…, /reset/… and /address/…: how people come in, and back in, by letters to their address.

Opening a link changes nothing: mail scanners open every link. The page has a button, and what the button does needs a form token.
"""

from flask import Blueprint

from reseller.portal import acting
from reseller.portal.sign_up import address, coming, reset, verifying

sign_up = Blueprint("sign_up", __name__, template_folder="../templates")

ROUTES = (
    ("/sign-up", "show", "GET", coming.show),
    ("/sign-up", "register", "POST", coming.register),
    ("/sign-up/sent", "sent", "GET", coming.sent),
    ("/verify/<token>", "verify", "GET", verifying.show),
    ("/verify/<token>", "finish_verifying", "POST", verifying.finish),
    ("/reset", "reset", "GET", reset.show),
    ("/reset", "ask_for_reset", "POST", reset.ask),
    ("/reset/sent", "reset_sent", "GET", reset.sent),
    ("/reset/<token>", "new_password", "GET", reset.choose),
    ("/reset/<token>", "finish_reset", "POST", reset.finish),
    ("/address/<token>", "new_address", "GET", address.show),
    ("/address/<token>", "finish_address", "POST", address.finish),
)

for path, endpoint, method, view in ROUTES:
    sign_up.add_url_rule(path, endpoint, acting.anonymous(view), methods=[method])

sign_up.add_url_rule("/settings/address", "ask_for_address", acting.personal(address.ask), methods=["POST"])
