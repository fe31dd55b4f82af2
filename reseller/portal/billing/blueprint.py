"""The blueprint of the billing pages, apart from them so that each can hang itself on it."""

from flask import Blueprint

billing = Blueprint("billing", __name__, template_folder="../templates")
