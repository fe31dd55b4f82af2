"""The blueprint of the billing pages, apart from them so that each can hang itself on it."""

from flask import Blueprint

from reseller.portal.billing import words

billing = Blueprint("billing", __name__, template_folder="../templates")
billing.add_app_template_filter(words.month_name)
billing.add_app_template_filter(words.day_name)
