"""The blueprint that the pages of settings hang themselves on."""

from flask import Blueprint

settings = Blueprint("settings", __name__, template_folder="../templates")
