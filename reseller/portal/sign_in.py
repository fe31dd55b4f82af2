"""/sign-in and /sign-out: one page for customers and staff."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from gevent import get_hub
from sqlalchemy import select
from werkzeug.wrappers import Response

from reseller.database import acting_as_operator, transaction
from reseller.domain import accounts
from reseller.domain.accounts import User
from reseller.domain.identity import sessions
from reseller.web import signed_in
from reseller.web.client_address import client_address
from reseller.wiring import wiring

sign_in = Blueprint("sign_in", __name__, template_folder="templates")


@sign_in.get("/sign-in")
def show() -> str:
    return render_template("portal/sign_in.html")


@sign_in.post("/sign-in")
def check() -> Response | str:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    with acting_as_operator(), transaction() as session:
        user = session.scalar(select(User).where(User.email == email.strip().lower()))
    if user is None or not user.password_hash or not get_hub().threadpool.apply(accounts.password_matches, (user.password_hash, password)):
        flash("That did not match.", "error")
        return render_template("portal/sign_in.html")
    address = client_address(request, wiring().settings.trusted_proxies)
    signed_in.remember(sessions.begin(user.id, address=address, user_agent=request.user_agent.string))
    return redirect(signed_in.own_path(request.args.get("next"), url_for("overview.show")))


@sign_in.get("/sign-in/confirm")
def confirm() -> Response | str:
    if signed_in.person() is None:
        return signed_in.to_sign_in()
    return render_template("portal/sign_in.html")


@sign_in.post("/sign-out")
def leave() -> Response:
    signed_in.forget()
    return redirect(url_for("sign_in.show"))
