"""`python -m config.postgres COMMAND …`: the command, with DATABASE_URL naming an empty PostgreSQL that is gone afterwards.

Exits as the command does.
"""

import os
import subprocess
import sys

from config.postgres import temporary


def main(command: list[str]) -> int:
    """The exit code of the command; 2 when none was given."""
    if not command:
        print("usage: python -m config.postgres COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    with temporary() as running:
        environment = {**os.environ, "DATABASE_URL": running.url, "RESELLER_ENV": "testing"}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
