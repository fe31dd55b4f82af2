"""DOOR: / — who this is and where the API lives. Anonymous."""

from flask import Blueprint, render_template

from reseller.wiring import wiring

pages = Blueprint("pages", __name__, template_folder="templates")


@pages.get("/")
def landing() -> str:
    return render_template("pages/landing.html", api_base=f"{wiring().settings.base_url}/v1")
