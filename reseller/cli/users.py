"""`flask users`: people, their accounts and limits."""

from typing import Any

import click
from flask.cli import AppGroup

from reseller.cli.shared import LIMIT, actor, as_operator, emit, json_option
from reseller.domain import accounts, limits, registration
from reseller.domain.accounts import Role
from reseller.domain.desk import people
from reseller.domain.identity import passwords, roles, second_factor
from reseller.domain.registration import Newcomer

users = AppGroup("users", help="People, their accounts and limits.")


@users.command()
@click.argument("email")
@click.option("--password", help="Without it a random one is printed once.")
@click.option("--role", type=click.Choice([str(role) for role in Role]), default=str(Role.CUSTOMER), show_default=True)
@click.option("--name", default="", help="Full name.")
@click.option("--company", default="", help="Company; also the account's name.")
@json_option
@as_operator
def create(email: str, password: str | None, role: str, name: str, company: str, as_json: bool) -> None:
    """Create a verified person with an account, balance and limits."""
    chosen = password or accounts.random_password()
    newcomer = Newcomer(email, chosen, full_name=name, company=company, role=Role(role), is_verified=True)
    person = registration.register(newcomer, actor=actor())
    result: dict[str, Any] = {"user_id": str(person.user_id), "account_id": str(person.account_id), "email": person.email, "role": role}
    if password is None:
        result["password"] = chosen
    emit(result, as_json, (f"{name}: {value}" for name, value in result.items()))


@users.command("list")
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="Only people with this role.")
@json_option
@as_operator
def list_people(role: str | None, as_json: bool) -> None:
    """List people with their role and what guards their sign-in."""
    found = people.everybody(Role(role) if role else None)
    result = [
        {"email": line.email, "name": line.full_name, "role": line.role, "created_at": line.created_at.isoformat()}
        | {"has_second_factor": line.has_second_factor, "sessions": line.sessions}
        for line in found
    ]
    told = (
        f"{line.email}  {line.role}{', two-factor' if line.has_second_factor else ''}  since {line.created_at:%Y-%m-%d}" for line in found
    )
    emit({"users": result}, as_json, told)


@users.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice([str(role) for role in Role]))
@click.option("--reason", required=True, help="Why; staff will read it.")
@json_option
@as_operator
def change_role(email: str, role: str, reason: str, as_json: bool) -> None:
    """Give a person another role in the back office, and sign them out everywhere."""
    person = accounts.find_person(email)
    ended = roles.change_role(person.user_id, Role(role), seen_version=None, actor=actor(), reason=reason)
    result = {"email": person.email, "role": role, "sessions_ended": ended}
    emit(result, as_json, [f"{person.email} has the role {role}; sessions ended: {ended}"])


@users.command("password")
@click.argument("email")
@click.option("--reason", default="", help="Why; staff will read it.")
@json_option
@as_operator
def new_password(email: str, reason: str, as_json: bool) -> None:
    """Give a person a new random password, printed once, and sign them out everywhere."""
    person = accounts.find_person(email)
    chosen = accounts.random_password()
    ended = passwords.change(person.user_id, accounts.hash_password(chosen), actor=actor(), reason=reason)
    result = {"email": person.email, "password": chosen, "sessions_ended": ended}
    emit(result, as_json, (f"{name}: {value}" for name, value in result.items()))


@users.command("reset-second-factor")
@click.argument("email")
@click.option("--reason", required=True, help="Why, such as a lost phone; staff will read it.")
@json_option
@as_operator
def reset_second_factor(email: str, reason: str, as_json: bool) -> None:
    """Remove a person's authenticator and recovery codes and sign them out; staff enrol anew at their next sign-in."""
    person = accounts.find_person(email)
    ended = second_factor.reset(person.user_id, actor=actor(), reason=reason)
    result = {"email": person.email, "sessions_ended": ended}
    emit(result, as_json, [f"{person.email} has no authenticator; sessions ended: {ended}"])


@users.command("limits")
@click.argument("email")
@click.option("--rpm", type=LIMIT, help="Requests per minute, or none.")
@click.option("--rph", type=LIMIT, help="Requests per hour, or none.")
@click.option("--rpd", type=LIMIT, help="Requests per day, or none.")
@click.option("--max-tokens", type=LIMIT, help="Output tokens one request may ask for, or none.")
@click.option("--concurrent", type=LIMIT, help="Requests in flight at once, or none.")
@json_option
@as_operator
def change_limits(email: str, as_json: bool, **given: int | None) -> None:
    """Show or change an account's limits. Live in every process with the next request."""
    person = accounts.find_person(email)
    values = {name: value or None for name, value in given.items() if value is not None}
    row = limits.change(person.account_id, values, actor=actor()) if values else limits.limits_of(person.account_id)
    result = {name: getattr(row, column) for name, column in limits.LIMIT_COLUMNS.items()}
    emit(result, as_json, (f"{name}: {'none' if value is None else value}" for name, value in result.items()))


@users.command()
@click.argument("email")
@click.option("--reason", required=True, help="Why; staff will read it.")
@json_option
@as_operator
def suspend(email: str, reason: str, as_json: bool) -> None:
    """Refuse the account's keys from the next request on."""
    person = accounts.find_person(email)
    accounts.suspend(person.account_id, reason=reason, actor=actor())
    emit({"account_id": str(person.account_id), "status": "suspended"}, as_json, [f"{person.email} is suspended"])


@users.command()
@click.argument("email")
@json_option
@as_operator
def restore(email: str, as_json: bool) -> None:
    """Let a suspended account's keys work again."""
    person = accounts.find_person(email)
    accounts.restore(person.account_id, actor=actor())
    emit({"account_id": str(person.account_id), "status": "active"}, as_json, [f"{person.email} is active"])


@users.command()
@click.argument("email")
@click.option("--reason", required=True, help="What was found and mended; staff will read it.")
@json_option
@as_operator
def resume(email: str, reason: str, as_json: bool) -> None:
    """Let an account make calls again after the ledger audit has halted it."""
    person = accounts.find_person(email)
    accounts.resume(person.account_id, actor=actor(), reason=reason)
    emit({"account_id": str(person.account_id), "halted": False}, as_json, [f"{person.email} may make calls again"])
