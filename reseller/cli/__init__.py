"""DOOR: the `flask` commands, one file per noun. `install` adds them to the app."""

from flask import Flask

from reseller.cli.backups import backup, restore
from reseller.cli.books import ledger_commands
from reseller.cli.catalog import catalog
from reseller.cli.clock import worker
from reseller.cli.credits import credit_commands
from reseller.cli.demo import demo
from reseller.cli.keys import key_commands
from reseller.cli.packs import packs
from reseller.cli.payments import payments
from reseller.cli.prices import prices
from reseller.cli.secrets import secrets
from reseller.cli.upstreams import upstreams
from reseller.cli.usage import usage_commands
from reseller.cli.users import users


def install(app: Flask) -> None:
    """`flask --help` lists every command of the product."""
    nouns = (users, key_commands, credit_commands, packs, payments, prices, catalog, upstreams, ledger_commands, usage_commands)
    for command in (*nouns, secrets, worker, demo, backup, restore):
        app.cli.add_command(command)
