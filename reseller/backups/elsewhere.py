"""A command of ours on another database than this process's, in a process of its own: an app holds one database for good."""

import os
import subprocess
import sys
from pathlib import Path

WSGI = str(Path(__file__).resolve().parents[2] / "wsgi.py")


def flask_on(url: str, *words: str, is_quiet: bool = False) -> "subprocess.CompletedProcess[str]":
    """`flask WORDS` with this DATABASE_URL, which travels by the environment alone. `is_quiet`: what it says is kept for the caller."""
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL_FILE"} | {"DATABASE_URL": url}
    command = [sys.executable, "-m", "flask", "--app", WSGI, *words]
    return subprocess.run(command, env=env, text=True, capture_output=is_quiet, check=False)
