"""`flask worker`: the clock."""

import sys

import click
from flask import current_app
from flask.cli import with_appcontext

from config.logging import configure_logging
from reseller.worker import loop


@click.command("worker")
@click.option("--once", is_flag=True, help="Run every job that is due, tell what came of each, then exit; 1 names the jobs that failed.")
@with_appcontext
def worker(once: bool) -> None:
    """Run the clock: recovery, costs, partitions, catalogue, books."""
    configure_logging()
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way
    if not once:
        loop.run_forever(app)
        return
    failed = loop.run_once(app, click.echo)
    if failed:
        click.echo(f"Error: failed: {', '.join(failed)}", err=True)
        sys.exit(1)
