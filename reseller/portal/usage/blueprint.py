"""The blueprint that the pages of usage are registered on."""

from flask import Blueprint

own_usage = Blueprint("own_usage", __name__, template_folder="../templates")
