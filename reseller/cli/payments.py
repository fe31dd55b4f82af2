"""`flask payments`: what Stripe knows against what the books know."""

from datetime import timedelta

import click
from flask.cli import AppGroup

from reseller.cashier import LOOK_BACK, Unfinished
from reseller.cashier import reconcile as cashier_reconcile
from reseller.cli.shared import as_operator
from reseller.clients.stripe_api import StripeDown, StripeRefused
from reseller.wiring import wiring

payments = AppGroup("payments", help="Payments through Stripe.")


@payments.command("reconcile")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=LOOK_BACK.days,
    show_default=True,
    help="How far back Stripe is asked; of changes to older refunds and disputes it remembers 30.",
)
@as_operator
def reconcile(days: int) -> None:
    """Credit what Stripe knows and we do not: after a restore, or whenever events may have been lost. Safe to repeat."""
    cashier = wiring().cashier
    if not cashier.is_open:
        raise click.ClickException("Stripe is not configured: set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET")
    try:
        waiting = cashier.catch_up()
        found = cashier_reconcile(cashier, timedelta(days=days))
    except (StripeDown, StripeRefused) as error:
        raise click.ClickException(f"Not all could be asked of Stripe: {error}") from error
    except Unfinished as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{found.sessions} sessions and {found.intents} payments looked at, {found.healed} credited, {waiting} events wait")
    if found.not_paid:
        click.echo(f"{found.not_paid} were credited here and are not paid at Stripe: somebody must look at /admin/suspense/")
    if found.unread:
        click.echo(f"{found.unread} of what Stripe says cannot be used: somebody must look at /admin/suspense/")
