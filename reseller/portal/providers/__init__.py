"""/sign-in/with/<provider>: signing up and in through a provider, and linking one to an account that is there."""

from flask import Blueprint, Flask

from config import Settings
from reseller.portal import acting
from reseller.portal.providers import coming_back, setting_out, unlinking
from reseller.portal.providers.offered import Offered, buttons, configured, methods_of

__all__ = ["install", "methods_of", "providers"]

providers = Blueprint("providers", __name__, template_folder="../templates")

ROUTES = (
    ("/sign-in/with/<provider>", "enter", "GET", acting.anonymous, setting_out.enter),
    ("/sign-in/with/<provider>/callback", "callback", "GET", acting.anonymous, coming_back.come_back),
    ("/sign-in/with/<provider>/link", "link", "POST", acting.personal, setting_out.link),
    ("/sign-in/with/<provider>/confirm", "confirm", "POST", acting.personal, setting_out.confirm),
    ("/sign-in/identities/<identity_id>/unlink", "unlink", "POST", acting.personal, unlinking.unlink),
)

for path, endpoint, method, kind, view in ROUTES:
    providers.add_url_rule(path, endpoint, kind(view), methods=[method])


def install(app: Flask, settings: Settings) -> None:
    """The app has the providers of its settings. Templates show a button for each, and what a person signs in through."""
    app.extensions[Offered.__name__] = configured(settings)
    app.add_template_global(buttons, "sign_in_buttons")
    app.add_template_global(methods_of, "sign_in_methods_of")
