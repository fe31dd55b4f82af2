"""`flask demo`: placeholder until the loader is written."""

from flask.cli import AppGroup

demo = AppGroup("demo", help="Demo data.")
