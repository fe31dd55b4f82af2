"""The disk is full: nobody is let in, nothing acknowledged is lost, and what is owed lands when there is room again (R14)."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.deployment import Cluster
from tests.faults.clients import Buyers, OpenCall, asking, whole_and_streamed
from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, open_storm, rich_customer
from tests.waiting import wait_until

DISK_BYTES = 64_000_000
BUYERS = 12
AT_ONCE_SECONDS = 3.0


@dataclass(slots=True)
class SmallDisk(Cluster):
    """The same server; databases made here lie on a disk of their own."""

    tablespace: str = ""

    def create_database(self) -> str:
        return self._create("CREATE DATABASE {} TEMPLATE reseller OWNER reseller TABLESPACE {}", self.tablespace)


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small file system in memory, gone afterwards. Not below pytest's folder, which every run of it shuts to others anew."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a disk that can be filled needs root, who may mount one")
    place = Path(tempfile.mkdtemp(prefix="reseller-small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip(f"a disk that can be filled cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


@pytest.fixture
def small_disk(cluster: Cluster, disk: Path) -> Iterator[SmallDisk]:
    """Databases on that file system; its log (WAL) is elsewhere and has room."""
    name, folder = f"small_{secrets.token_hex(4)}", disk / "tablespace"
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        [data] = admin.execute("SHOW data_directory").fetchone() or [""]
        owner = Path(data).stat()
        folder.mkdir()
        os.chown(folder, owner.st_uid, owner.st_gid)
        for parent in (disk, *disk.parents):
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        admin.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(name), sql.Literal(str(folder))))
    yield SmallDisk(cluster.url, cluster.admin_url, name)
    with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(name)))


@pytest.fixture
def cramped(small_disk: SmallDisk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """A storm whose database lies on the small disk."""
    with ExitStack() as stack:
        yield stack.enter_context(open_storm(small_disk, tmp_path_factory.mktemp("cramped")))


def fill(disk: Path) -> Path:
    """Nothing more can be written; the file that takes the room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return filler


def test_a_full_disk_lets_nobody_in_and_loses_nothing(cramped: Storm, disk: Path) -> None:
    storm, customers = cramped, [rich_customer(cramped) for _ in range(4)]
    storm.fake.plans["late"] = {"tokens": 60, "pause_ms": 50}
    with Buyers(customers, each=BUYERS // 4, choose=whole_and_streamed, pause=0.005) as buyers:
        wait_until(lambda: buyers.whole > 20)
        running = [OpenCall(customer, stream=True, **asking("late")) for customer in customers]
        wait_until(lambda: len(storm.bills_of("late")) == len(running))
        filler = fill(disk)
        wait_until(lambda: sum(result.status == 503 for result in buyers.results[-BUYERS:]) == BUYERS)
        sent, seen = len(storm.billed), len(buyers.results)
        wait_until(lambda: len(buyers.results) > seen + BUYERS)
        sent_meanwhile = len(storm.billed) - sent
        assert "no space" in storm.web.log.lower()
        filler.unlink()
        before = buyers.whole
        wait_until(lambda: buyers.whole > before + 20, 20)

    finished = [call.join() for call in running]
    found = assert_holds(storm, [*buyers.results, *finished])
    assert sent_meanwhile == 0
    assert [result.is_whole for result in finished] == [True] * len(running)
    assert {result.status for result in buyers.results} == {200, 503}
    assert max(result.seconds for result in buyers.results if result.status == 503) < AT_ONCE_SECONDS
    assert found.estimated == found.statuses["voided"] == 0
