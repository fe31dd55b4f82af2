"""A private PostgreSQL for one test."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.postgres import Binaries, Running, ensure


@pytest.fixture
def instance() -> Iterator[Path]:
    """A folder that every account may pass through, unlike pytest's own."""
    parent = Path(tempfile.mkdtemp(prefix="reseller-test-", dir="/tmp"))
    parent.chmod(0o755)
    yield parent / "instance"
    kept = parent / "instance" / "postgres.json"
    if kept.exists():
        shutil.rmtree(parent / "instance" / json.loads(kept.read_text())["home"])  # an absolute one lies outside
    shutil.rmtree(parent)


@pytest.fixture
def start(instance: Path) -> Iterator[Callable[..., Running]]:
    """`ensure` over the test's instance folder; what it started is let go afterwards."""
    used: list[Running] = []

    def ensured(**options: Binaries) -> Running:
        used.append(ensure(instance, **options))
        return used[-1]

    yield ensured
    for running in used:
        running.stop()
