"""`flask credits`: an account's money, granted and shown."""

from decimal import Decimal

import click
from flask.cli import AppGroup

from reseller.cli.shared import USD, actor, as_operator, emit, json_option
from reseller.database import transaction
from reseller.domain import accounts, ledger, staff
from reseller.money import format_decimal

credit_commands = AppGroup("credits", help="An account's balance; grant or take back credit.")


@credit_commands.command(context_settings={"ignore_unknown_options": True})
@click.argument("email")
@click.argument("amount", type=USD)
@click.option("--reason", required=True, help="Why; the customer reads it.")
@json_option
@as_operator
def grant(email: str, amount: Decimal, reason: str, as_json: bool) -> None:
    """Add AMOUNT dollars as a ledger entry; a negative amount takes back what is available."""
    person = accounts.find_person(email)
    with transaction():
        entry = ledger.grant(person.account_id, amount, reason=reason, actor=actor())
        changes = {"amount_usd": [None, format_decimal(amount)]}
        staff.record(actor(), "credit.grant", "ledger_entry", entry.id, account_id=person.account_id, reason=reason, changes=changes)
        balance = ledger.balance_now(person.account_id)
        entry_id = str(entry.id)
    result = {"entry_id": entry_id, "amount": format_decimal(amount), **balance.as_json()}
    emit(result, as_json, (f"{name}: {value}" for name, value in result.items()))


@credit_commands.command()
@click.argument("email")
@json_option
@as_operator
def show(email: str, as_json: bool) -> None:
    """Show balance, held and available."""
    result = ledger.balance_now(accounts.find_person(email).account_id).as_json()
    emit(result, as_json, (f"{name}: {value}" for name, value in result.items()))
