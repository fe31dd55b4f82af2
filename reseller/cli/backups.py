"""`flask backup` and `flask restore`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from reseller.backups import finishing, loading, taking
from reseller.backups.archive import BackupRefused
from reseller.backups.manifest import Manifest
from reseller.cli.shared import as_operator, emit, json_option
from reseller.database import db
from reseller.money import format_nano

WSGI = str(Path(__file__).resolve().parents[2] / "wsgi.py")


def tell(words: str) -> None:
    """Progress, on stderr: stdout carries the result alone."""
    click.echo(words, err=True)


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@json_option
@with_appcontext
@as_operator
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write the whole database, as it is at one instant, into FILE. The shop goes on meanwhile.

    FILE holds secrets (digests of passwords, sealed authenticators) and is readable by its owner alone: encrypt it before it leaves.
    """
    try:
        taken = taking.take(_url(), file.absolute(), may_replace=force, tell=tell)
    except BackupRefused as refused:
        raise click.ClickException(str(refused)) from None
    emit({"file": str(file), **_told(taken)}, as_json, [f"{file}: {_words(taken)}"])


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", metavar="URL", help="An empty database instead of DATABASE_URL; `env:NAME` takes the URL from that variable.")
@click.option("--no-grants", is_flag=True, help="Leave out grants to other roles, which must exist otherwise.")
@json_option
@with_appcontext
@as_operator
def restore(file: Path, into: str | None, no_grants: bool, as_json: bool) -> None:
    """Put the backup FILE into an empty database, migrate it, end what was open, prove the books. Exit 1 if anything is amiss.

    Until it is done the database refuses every write of others, so a web process on it is not ready.
    """
    if into:
        chosen = {"--no-grants": no_grants, "--json": as_json}
        sys.exit(_elsewhere(into, str(file), *(name for name, is_chosen in chosen.items() if is_chosen)))
    try:
        told = loading.load(_url(), file.absolute(), with_grants=not no_grants, tell=tell)
    except BackupRefused as refused:
        raise click.ClickException(str(refused)) from None
    finishing.begin(tell)
    ended = finishing.end_what_was_open(told.taken_at.isoformat())
    tell("proving the books")
    report = finishing.prove()
    finishing.open_for_all(_url())
    mismatches = [f"account {each.account_id}: {each.row}: {each.problem}" for each in report.mismatches]
    result = {**_told(told), "ended": {"sessions": ended.sessions, "links": ended.links, "letters": ended.letters}}
    result |= {"ledger": {"accounts": report.accounts, "entries": report.entries, "mismatches": mismatches}}
    emit(result, as_json, _lines(told, ended, mismatches))
    if mismatches:
        click.echo(f"Error: {len(mismatches)} mismatches in the books; those accounts are halted", err=True)
        sys.exit(1)


def _lines(told: Manifest, ended: finishing.Ended, mismatches: list[str]) -> list[str]:
    return [
        f"restored: {_words(told)}",
        f"ended: {ended.sessions} sessions, {ended.links} links in letters, {ended.letters} letters that waited",
        "books: all agree" if not mismatches else "books: " + "; ".join(mismatches),
    ]


def _elsewhere(into: str, *words: str) -> int:
    """`flask restore` on that database, in a process of its own; its exit code."""
    url = os.environ.get(into.removeprefix("env:"), "") if into.startswith("env:") else into
    if not url:
        raise click.BadParameter(f"{into} names no variable that is set", param_hint="--into")
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL_FILE"} | {"DATABASE_URL": url}
    return subprocess.run([sys.executable, "-m", "flask", "--app", WSGI, "restore", *words], env=env, check=False).returncode


def _url() -> str:
    return db.engine.url.render_as_string(hide_password=False)


def _told(taken: Manifest) -> dict[str, Any]:
    return {
        "taken_at": taken.taken_at.isoformat(),
        "revision": taken.revision,
        "accounts": taken.accounts,
        "rows": sum(taken.rows.values()),
        "calls": taken.calls,
        "charged_usd": format_nano(taken.charged_nano),
        "bytes": taken.bytes_,
        "sha256": taken.sha256,
    }


def _words(taken: Manifest) -> str:
    return (
        f"{taken.accounts} accounts, {sum(taken.rows.values())} rows, {taken.calls} calls charged {format_nano(taken.charged_nano)} USD,"
        f" as of {taken.taken_at:%Y-%m-%d %H:%M:%S} UTC, schema {taken.revision}"
    )
