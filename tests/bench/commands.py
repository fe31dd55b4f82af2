"""`python -m tests.bench.commands`: several `flask` commands in one process, which saves a start for each.

Reads a JSON list of argument lists from stdin, prints a JSON list of what each printed. Exit 1 at the first that fails.
"""

import json
import sys

from click.testing import CliRunner
from flask.cli import FlaskGroup

from wsgi import app


def main() -> int:
    printed = []
    for arguments in json.load(sys.stdin):
        result = CliRunner().invoke(FlaskGroup(create_app=lambda: app), arguments)
        if result.exit_code:
            print(f"flask {' '.join(arguments)}: {result.output}{result.exception!r}", file=sys.stderr)
            return 1
        printed.append(result.stdout)
    print(json.dumps(printed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
