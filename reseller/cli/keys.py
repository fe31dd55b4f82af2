"""`flask keys`: API keys."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import click
from flask.cli import AppGroup

from reseller.cli.shared import DURATION, GRACE, USD, actor, as_operator, emit, json_option
from reseller.domain import accounts, keys
from reseller.domain.keys import ApiKey, SpendPeriod, shown_prefix
from reseller.money import format_decimal

key_commands = AppGroup("keys", help="API keys: create, rotate, revoke, list.")


@key_commands.command()
@click.argument("email")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--test", "is_test", is_flag=True, help="Answered by the sandbox; costs nothing.")
@click.option("--expires-in", type=DURATION, help="For example 30d.")
@click.option("--spend-limit", type=USD, help="Dollars the key may spend.")
@click.option("--spend-period", type=click.Choice([str(p) for p in SpendPeriod]), default=str(SpendPeriod.LIFETIME), show_default=True)
@click.option("--models", multiple=True, metavar="PATTERN", help="Models the key may use, with wildcards. May be repeated.")
@json_option
@as_operator
def create(email: str, name: str, is_test: bool, expires_in: timedelta | None, spend_limit: Decimal | None, **more: Any) -> None:
    """Create a key. It is shown once, alone on the last line."""
    person = accounts.find_person(email)
    spend = None if spend_limit is None else (spend_limit, SpendPeriod(more["spend_period"]))
    patterns = list(more["models"]) or None
    token, key = keys.mint(
        person.account_id, name=name, actor=actor(), is_test=is_test, expires_in=expires_in, spend=spend, model_patterns=patterns
    )
    emit({**shown_key(key), "key": token}, more["as_json"], [f"id: {key.id}", token])


@key_commands.command()
@click.argument("prefix_or_id")
@click.option("--grace", type=GRACE, default="24h", show_default=True, help="How long the old key still works; 0 refuses it at once.")
@json_option
@as_operator
def rotate(prefix_or_id: str, grace: timedelta, as_json: bool) -> None:
    """Make a key with the same terms in the place of this one. The new key is shown once, alone on the last line."""
    token, key = keys.rotate(prefix_or_id, grace=grace, actor=actor())
    emit({**shown_key(key), "key": token}, as_json, [f"id: {key.id}", token])


@key_commands.command()
@click.argument("prefix_or_id")
@json_option
@as_operator
def revoke(prefix_or_id: str, as_json: bool) -> None:
    """Refuse a key from the next request on, in every process."""
    key = keys.revoke(prefix_or_id, actor=actor())
    emit(shown_key(key), as_json, [f"{shown_prefix(key.key_prefix)} is revoked"])


@key_commands.command("list")
@click.argument("email")
@json_option
@as_operator
def list_keys(email: str, as_json: bool) -> None:
    """List a person's keys, newest first."""
    person = accounts.find_person(email)
    shown = [shown_key(key) for key in keys.keys_of(person.account_id)]
    lines = (
        f"{k['prefix']:<16} {k['state']:<8} {k['name']:<24} spent {k['spent']:<14} last used {k['last_used_at'] or 'never'}" for k in shown
    )
    emit({"keys": shown}, as_json, lines)


def shown_key(key: ApiKey) -> dict[str, Any]:
    """A key as commands print it: never its hash."""
    state = "revoked" if key.revoked_at else "active" if keys.is_usable(key) else "expired"
    return {
        "id": str(key.id),
        "prefix": shown_prefix(key.key_prefix),
        "name": key.name,
        "state": state,
        "is_test": key.is_test,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "spend_limit": None if key.spend_limit_usd is None else format_decimal(key.spend_limit_usd),
        "spend_period": key.spend_period,
        "models": key.model_patterns,
        "spent": format_decimal(key.total_usd or Decimal(0)),
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
        "last_used_address": key.last_used_address,
        "replaces": str(key.replaces_id) if key.replaces_id else None,
    }
