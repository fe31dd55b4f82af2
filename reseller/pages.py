"""DOOR: / — who this is and where the API lives. Anonymous."""

from flask import Blueprint, render_template

from reseller.wiring import wiring

pages = Blueprint("pages", __name__, template_folder="templates")


@pages.get("/")
def landing() -> str:
    settings = wiring().settings
    return render_template(
        "pages/landing.html", brand=settings.brand_name, api_base=f"{settings.base_url}/v1", support=settings.brand_support_email
    )
