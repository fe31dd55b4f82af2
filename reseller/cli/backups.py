"""`flask backup` and `flask restore`."""

import os
import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from reseller.backups import finishing, loading, proving, remembering, taking, telling
from reseller.backups.archive import BackupRefused
from reseller.backups.elsewhere import flask_on
from reseller.backups.manifest import Manifest
from reseller.backups.remembering import Remembered
from reseller.cli.shared import as_operator, emit, json_option
from reseller.database import db
from reseller.domain import proofs
from reseller.wiring import wiring


def tell(words: str) -> None:
    """Progress, on stderr: stdout carries the result alone."""
    click.echo(words, err=True)


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.option("--prove", is_flag=True, help="Restore it elsewhere, prove its books, and remember that it works. Exit 1 if it does not.")
@json_option
@with_appcontext
@as_operator
def backup(file: Path, force: bool, prove: bool, as_json: bool) -> None:
    """Write the whole database, as it is at one instant, into FILE. The shop goes on meanwhile.

    FILE holds secrets (digests of passwords, sealed authenticators) and is readable by its owner alone: encrypt it before it leaves.
    """
    try:
        taken = taking.take(own_url(), file.absolute(), may_replace=force, tell=tell)
        if prove:
            proofs.record(proving.prove(own_url(), file.absolute(), taken, tell=tell))
    except BackupRefused as refused:
        raise click.ClickException(str(refused)) from None
    emit({"file": str(file), "is_proved": prove, **telling.backup_told(taken)}, as_json, [f"{file}: {telling.words_of(taken)}"])


@click.command("restore")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--recovered", is_flag=True, help="Without FILE: something else took the database back in time already; do the rest.")
@click.option("--into", metavar="URL", help="An empty database instead of DATABASE_URL; `env:NAME` takes the URL from that variable.")
@click.option(
    "--journal",
    "journals",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="What was stopped since the backup, as a file of BACKUP_JOURNAL or of a worker's log; again for several. Default: BACKUP_JOURNAL.",
)
@click.option("--replay-from", metavar="URL", help="The database that is given up, if it still answers: it knows best. Also `env:NAME`.")
@click.option("--no-replay", is_flag=True, help="Stop nothing again: whatever was revoked since the backup works again.")
@click.option("--revoke-all-keys", is_flag=True, help="No key works afterwards; customers make new ones.")
@click.option("--no-grants", is_flag=True, help="Leave out grants to other roles, which must exist otherwise.")
@json_option
@click.pass_context
@with_appcontext
@as_operator
def restore(context: click.Context, /, file: Path | None, into: str | None, **chosen: Any) -> None:
    """Put the backup FILE into an empty database, stop again what was stopped since, prove the books. Exit 1 if anything is amiss.

    Until it is done the database refuses every write of others, so a web process on it is not ready.
    """
    if (file is None) != chosen["recovered"]:
        raise click.UsageError("Name the FILE of a backup, or say --recovered for a database that went back in time already.")
    if into:
        sys.exit(_elsewhere(url_of(into, "--into"), context))
    try:
        if file is None:
            told = loading.adopt(own_url(), tell)
        else:
            told = loading.load(own_url(), file.absolute(), with_grants=not chosen["no_grants"], tell=tell)
        finishing.begin(tell)
        remembered = _remembered(told, chosen["journals"], chosen["replay_from"], no_replay=chosen["no_replay"])
        tell("stopping again what was stopped since")
        after = finishing.catch_up(told, remembered, revoke_all_keys=chosen["revoke_all_keys"])
    except BackupRefused as refused:
        raise click.ClickException(str(refused)) from None
    tell("proving the books")
    report = finishing.prove()
    finishing.open_for_all(own_url())
    emit(telling.restore_told(told, after, report), chosen["as_json"], telling.restore_lines(told, after, report))
    if report.mismatches:
        click.echo(f"Error: {len(report.mismatches)} mismatches in the books; those accounts are halted", err=True)
        sys.exit(1)


def _remembered(told: Manifest, journals: tuple[Path, ...], replay_from: str | None, *, no_replay: bool) -> Remembered:
    """What whoever was named remembers; without a name the journal of this deployment, if its file is here."""
    if replay_from:
        return remembering.from_database(url_of(replay_from, "--replay-from"), told.taken_at)
    if no_replay:
        return Remembered()
    own = Path(wiring().settings.backup_journal)
    if not journals and wiring().settings.backup_journal and own.is_file():
        tell(f"reading {own}")
        journals = (own,)
    return remembering.from_journals(journals, told.taken_at, tell=tell)


def _elsewhere(url: str, context: click.Context) -> int:
    """The same command on that database, in a process of its own; its exit code."""
    words = [str(context.params["file"])] if context.params["file"] else []
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if option.name in ("file", "into") or not value:
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [option.opts[0]] if value is True else [option.opts[0], str(each)]
    return flask_on(url, "restore", *words).returncode


def url_of(given: str, option: str) -> str:
    """A URL as it was given, or from the variable that `env:NAME` names."""
    url = os.environ.get(given.removeprefix("env:"), "") if given.startswith("env:") else given
    if not url:
        raise click.BadParameter(f"{given} names no variable that is set", param_hint=option)
    return url


def own_url() -> str:
    """The database of this deployment."""
    return db.engine.url.render_as_string(hide_password=False)
