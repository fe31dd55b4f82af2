"""The blueprint of the overview, apart from its pages so that each can hang itself on it."""

from flask import Blueprint

overview = Blueprint("overview", __name__, template_folder="../templates")
