"""`python -m config.run`: what `make run` starts. For development; never production's process manager.

A private PostgreSQL, `instance/env` for commands in this folder, the Procfile's release line, demo data, then
the Procfile's web and worker until Ctrl-C or SIGTERM, which end them in order. A child that dies ends the rest.
If we die here: the kernel tells web and worker to end; PostgreSQL goes on and the next start finds it.
"""

import fcntl
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any

from config import Settings, SettingsRefused, kept_secret, settings_for
from config.children import Children
from config.postgres import PostgresFailed, Running, ensure, is_private
from config.reading import VARIABLES
from config.stopped import Stopped, stopped_by

ROOT = Path(__file__).resolve().parent.parent

RELEASE = "release"  # the Procfile's line that runs first, to its end
DEMO_DATA = "flask demo load --json"  # prints logins and a key; loading again changes nothing
PROCESSES = ("web", "worker")  # the Procfile's lines that stay, in the order they start and stop

FIRST_PORT = 8000
READY_SECONDS = 60
RESTART_SECONDS = 1.0  # how often a private PostgreSQL that went away is looked for


class Refused(Exception):
    """The start cannot go on; the text says why and what to do."""


def main(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> int:
    """The exit code: 0 after Ctrl-C or SIGTERM, 1 when something refused or died."""
    given = dict(os.environ if environ is None else environ)
    stopped = stopped_by(signal.SIGINT, signal.SIGTERM)
    os.chdir(root)
    try:
        return run(given, root, stopped)
    except (Refused, PostgresFailed, SettingsRefused) as error:
        if stopped.is_set():  # Ctrl-C ended the command in hand, too
            return 0
        print(f"make run: {error}", file=sys.stderr)
        return 1


def run(given: Mapping[str, str], root: Path, stopped: Stopped) -> int:
    """The whole life of `make run`."""
    settings = settings_of(given)
    instance = Path(settings.instance_path).absolute()
    with only_one(instance):
        print("starting PostgreSQL, migrating, loading demo data", flush=True)
        postgres = None if has_own_database(settings, instance) else ensure(instance)
        try:
            environment = environment_for(given, settings, postgres)
            leave_behind(instance / "env", environment)
            programs = {**environment, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}"}
            lines = procfile(root / "Procfile")
            output_of(lines[RELEASE], {**given, **programs})
            demo = json.loads(output_of(DEMO_DATA, {**given, **programs}))
            if stopped.is_set():
                return 0
            children = Children({**given, **programs, "PYTHONUNBUFFERED": "1"}, grace_seconds=settings.drain_seconds + 10)
            try:
                return serve(children, lines, port=int(environment["PORT"]), demo=demo, postgres=postgres, stopped=stopped)
            finally:
                children.stop()
        finally:
            if postgres:
                postgres.stop()


def settings_of(given: Mapping[str, str]) -> Settings:
    """The settings for development. Raises Refused for another environment: demo data have no place there."""
    if given.get("RESELLER_ENV", "development") not in ("", "development"):
        raise Refused(f"this is for development, and RESELLER_ENV is {given['RESELLER_ENV']}: unset it, or start the Procfile's lines")
    return settings_for({**given, "RESELLER_ENV": "development"})


def has_own_database(settings: Settings, instance: Path) -> bool:
    """Whether the user named a database, other than the private one."""
    return bool(settings.database_url) and not is_private(settings.database_url, instance)


def environment_for(given: Mapping[str, str], settings: Settings, postgres: Running | None) -> dict[str, str]:
    """Every variable of ours, as web, worker and later commands in this folder shall see it."""
    port = str(settings.port) if given.get("PORT") else str(free_port())
    if not is_free(int(port)):
        raise Refused(f"port {port} is in use: stop what listens there, or choose another with PORT=…")
    ours = {name: given[name] for variable in VARIABLES for name in (variable, f"{variable}_FILE") if given.get(name)}
    if not {"SECRET_KEY", "SECRET_KEY_FILE"} & ours.keys():
        secret = Path(settings.instance_path).absolute() / "secret_key"
        kept_secret(secret)
        ours["SECRET_KEY_FILE"] = str(secret)
    if postgres:
        ours["DATABASE_URL"] = postgres.url
        ours.pop("DATABASE_URL_FILE", None)
    return {"WEBHOOKS_ALLOW_LOOPBACK": "true", **ours, "RESELLER_ENV": "development", "PORT": port}


def leave_behind(path: Path, environment: Mapping[str, str]) -> None:
    """`path` holds the environment for other commands in this folder, readable by its owner only."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text("".join(f"{name}={quoted(value)}\n" for name, value in sorted(environment.items())), encoding="utf-8")
    draft.replace(path)


def quoted(value: str) -> str:
    """The value as both python-dotenv and a shell read it back."""
    if "'" in value or "\\" in value:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"'{value}'"


def only_one(instance: Path) -> IO[bytes]:
    """A lock that is held until it is closed or we die. Raises Refused while another `make run` holds it."""
    instance.mkdir(mode=0o711, parents=True, exist_ok=True)
    lock = (instance / "run.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise Refused(f"it is running already in {instance.parent}: stop that one first") from None
    return lock


def procfile(path: Path) -> dict[str, str]:
    """Process name → shell line."""
    lines = (line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)
    return {name.strip(): command.strip() for name, command in lines}


def output_of(line: str, environment: Mapping[str, str]) -> str:
    """What the command printed. Raises Refused with its complaint when it failed."""
    done = subprocess.run(shlex.split(line), env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Refused(f"`{line}` failed with exit code {done.returncode}:\n{done.stderr.strip()[-4000:]}")
    return done.stdout


def serve(
    children: Children, lines: Mapping[str, str], *, port: int, demo: Mapping[str, Any], postgres: Running | None, stopped: Stopped
) -> int:
    """Web and worker run until we are told to stop; 1 when one of them died or never got ready."""
    for name in PROCESSES:
        children.start(name, lines[name])
    children.pass_on_output()
    has_greeted = False
    waited = 0.0
    while not stopped.wait(RESTART_SECONDS if has_greeted else 0.1):
        died = children.first_dead()
        if died:
            print(f"make run: {died}; the rest is being stopped", file=sys.stderr)
            return 1
        if has_greeted:
            keep_alive(postgres)
        elif is_ready(port):
            print(greeting(port, demo), flush=True)
            has_greeted = True
        elif (waited := waited + 0.1) > READY_SECONDS:
            print(f"make run: http://localhost:{port}/readyz was not ready within {READY_SECONDS} s", file=sys.stderr)
            return 1
    return 0


def keep_alive(postgres: Running | None) -> None:
    """A private PostgreSQL that went away is back at its port."""
    if postgres and not postgres.is_alive():
        print("make run: PostgreSQL went away and is started again", file=sys.stderr)
        postgres.revive()


def is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def greeting(port: int, demo: Mapping[str, Any]) -> str:
    """Everything a newcomer needs, the last line ready to be pasted."""
    base = f"http://localhost:{port}"
    body = '{"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]}'
    return f"""
  Pages     {base}/
  API       {base}/v1
  Key       {demo["api_key"]}

  Sign in at {base}/sign-in; staff then scan a QR code with an authenticator app.

{_logins(demo)}

  Ctrl-C stops everything. Try:

  curl {base}/v1/chat/completions -H 'Authorization: Bearer {demo["api_key"]}' -H 'Content-Type: application/json' -d '{body}'
"""


def _logins(demo: Mapping[str, Any]) -> str:
    names = {"Customer": "customer", "Admin": "staff", "Finance": "finance", "Support": "support"}
    width = max(len(demo[name]["email"]) for name in names.values())
    return "\n".join(f"  {title:<9} {demo[name]['email']:<{width}}  {demo[name]['password']}" for title, name in names.items())


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - nothing listens, this only asks
        except OSError:
            return False
    return True


def free_port() -> int:
    """The first free port from 8000 on."""
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if is_free(port):
            return port
    raise Refused(f"every port from {FIRST_PORT} to {FIRST_PORT + 99} is in use: choose one with PORT=…")


if __name__ == "__main__":
    sys.exit(main())
