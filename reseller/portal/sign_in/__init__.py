"""/sign-in, its second step, and /sign-out: the same pages for customers and staff."""

from flask import Blueprint

from reseller.portal import acting
from reseller.portal.sign_in import enrolment, password, second_step, unverified

sign_in = Blueprint("sign_in", __name__, template_folder="../templates")

ROUTES = (
    ("/sign-in", "show", "GET", password.show),
    ("/sign-in", "check", "POST", password.check),
    ("/sign-in/code", "code", "GET", second_step.ask),
    ("/sign-in/code", "check_code", "POST", second_step.check),
    ("/sign-in/confirm", "confirm", "GET", second_step.ask_again),
    ("/sign-in/confirm", "check_again", "POST", second_step.check_again),
    ("/sign-in/enrol", "enrol", "GET", enrolment.offer),
    ("/sign-in/enrol", "check_enrolment", "POST", enrolment.accept),
    ("/sign-in/address", "unverified", "GET", unverified.show),
    ("/sign-in/address", "send_again", "POST", unverified.send_again),
    ("/sign-out", "leave", "POST", password.leave),
)

for path, endpoint, method, view in ROUTES:
    sign_in.add_url_rule(path, endpoint, acting.anonymous(view), methods=[method])
