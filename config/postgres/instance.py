"""The private PostgreSQL of an instance folder, and temporary ones. Server processes themselves: server.py.

Files in the folder: `postgres.json` (passwords, port, where the data is; 0600),
`postgres.lock` (held while starting or stopping), `postgres.users` (held, shared, by every
process that uses the server: the kernel lets go of it however a process ends), `postgres/`.

If we die here: before the rename in `Server.initialise` the next call begins anew; later it
finds the cluster, and a server that runs is used, one that was killed recovers.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from config.postgres.binaries import Binaries, PostgresFailed, carried_to, find_binaries, is_open_to_all
from config.postgres.server import Owner, Server, owner_for

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - made with mkdtemp
ROOM_BYTES = 4 << 30
FORGOTTEN_SECONDS = 3600
OUTSIDE = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - made with mkdtemp; /var/lib first, since /var/tmp is swept after 30 days
LOCK_SECONDS = 120
PREFIX = "reseller-postgres-"


@dataclass(frozen=True, slots=True)
class Kept:
    """What postgres.json remembers."""

    home: str  # relative to the instance folder, so that a checkout can be moved, or absolute when outside
    password: str = field(repr=False)
    admin_password: str = field(repr=False)
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections on this machine, and our use of it."""

    url: str = field(repr=False)  # as `reseller`, who owns the database and bypasses nothing
    admin_url: str = field(repr=False)  # as the superuser `postgres`, for tests that make databases
    started_here: bool
    server: Server
    users: IO[bytes]
    lock: Path
    process: subprocess.Popen[bytes] | None
    pid: int  # of the process that may stop it, not of a fork

    def is_alive(self) -> bool:
        return self.server.pid() is not None

    def revive(self) -> None:
        """A server that was killed runs again, at the same port. Raises PostgresFailed if it cannot."""
        with _locked(self.lock):
            if not self.is_alive():
                self.server.start(urlsplit(self.url).port)

    def stop(self) -> None:
        """We use the server no more; it has ended unless another process uses it. Calling again does nothing."""
        if self.users.closed or self.pid != os.getpid():
            return
        with _locked(self.lock):
            if _try_lock(self.users, fcntl.LOCK_EX):
                self.server.stop()
            self.users.close()
        if self.process is not None and not self.is_alive():
            self.process.wait()


def ensure(instance: Path, *, binaries: Binaries | None = None) -> Running:
    """The private PostgreSQL of the instance folder runs, with role and database `reseller`; its data outlive it.

    Raises PostgresFailed when it cannot be had.
    """
    instance = instance.absolute()
    instance.mkdir(mode=0o711, parents=True, exist_ok=True)  # under root, `nobody` must get through
    lock = instance / "postgres.lock"
    with _locked(lock):
        kept = _read(instance) or _begin(instance)
        server = _server_at(instance / kept.home, binaries)
        if not server.data.is_dir():
            server.initialise(kept.password, kept.admin_password)
        process = None
        if server.pid() is None:
            port, process = server.start(kept.port)
        else:
            port = server.port()
        _write(instance, replace(kept, port=port))
        users = (instance / "postgres.users").open("ab")
        fcntl.flock(users, fcntl.LOCK_SH)
    return _running(replace(kept, port=port), server, users=users, lock=lock, process=process)


@contextlib.contextmanager
def temporary(binaries: Binaries | None = None, *, in_memory: bool = False) -> Iterator[Running]:
    """A fresh PostgreSQL that does without durability; gone with its data when the block, or this process, ends.

    `in_memory` is for many small databases: a new one is a thousand files, which ext4 makes ten times slower than tmpfs as soon
    as others have just been deleted. Where memory has no room for them it changes nothing.
    """
    base = Path(tempfile.gettempdir())
    if in_memory and _has_room(IN_MEMORY):
        base = IN_MEMORY
        _sweep(base)
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base if os.geteuid() or is_open_to_all(base) else OUTSIDE[-1]))
    try:
        users = (home / "users").open("ab")
        fcntl.flock(users, fcntl.LOCK_SH)
        _give(home, owner_for(home))
        server = replace(_server_at(home, binaries), is_durable=False)
        kept = Kept(str(home), secrets.token_urlsafe(24), secrets.token_urlsafe(24))
        server.initialise(kept.password, kept.admin_password)
        port, process = server.start(None, dies_with_us=True)
        running = _running(replace(kept, port=port), server, users=users, lock=home / "lock", process=process)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _has_room(folder: Path) -> bool:
    """Whether it is there, any account may make files in it, and enough fit."""
    if not folder.is_dir() or folder.stat().st_mode & 0o1777 != 0o1777:
        return False
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize >= ROOM_BYTES


def _sweep(base: Path) -> None:
    """What a killed starter has left in memory is gone."""
    for users in base.glob(f"{PREFIX}*/users"):
        with contextlib.suppress(OSError), users.open("ab") as held:
            if time.time() - users.stat().st_mtime > FORGOTTEN_SECONDS and _try_lock(held, fcntl.LOCK_EX):
                shutil.rmtree(users.parent, ignore_errors=True)


def kept_password(instance: Path) -> str | None:
    """The password of role `reseller` in the instance's private server, if there is one."""
    kept = _read(instance)
    return kept.password if kept else None


def _running(kept: Kept, server: Server, *, users: IO[bytes], lock: Path, process: subprocess.Popen[bytes] | None) -> Running:
    address = f"127.0.0.1:{kept.port}"
    return Running(
        url=f"postgresql://reseller:{kept.password}@{address}/reseller",
        admin_url=f"postgresql://postgres:{kept.admin_password}@{address}/postgres",
        started_here=process is not None,
        server=server,
        users=users,
        lock=lock,
        process=process,
        pid=os.getpid(),
    )


def _begin(instance: Path) -> Kept:
    """An empty home for the data is there, and postgres.json names it.

    Under root it lies outside when `nobody` could not reach it in the instance folder; with a random
    name, so that neither another account nor what an earlier checkout left can be in the way.
    """
    home = instance / "postgres"
    home.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and not is_open_to_all(instance):
        home.rmdir()
        home = _outside(instance)
    _give(home, owner_for(home))
    place = home.relative_to(instance) if home.is_relative_to(instance) else home
    kept = Kept(str(place), secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    _write(instance, kept)
    return kept


def _outside(instance: Path) -> Path:
    prefix = f"reseller-postgres-{hashlib.sha256(str(instance).encode()).hexdigest()[:12]}-"
    for base in OUTSIDE:
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    raise PostgresFailed(f"No folder for PostgreSQL's data: none of {', '.join(map(str, OUTSIDE))} can be written")


def _give(home: Path, owner: Owner) -> None:
    if owner.uid != os.geteuid():
        os.chown(home, owner.uid, owner.gid)


def _server_at(home: Path, binaries: Binaries | None) -> Server:
    """The server over `home`, by programs of the version that made its data."""
    if not home.is_dir():
        raise PostgresFailed(f"PostgreSQL's data are gone from {home}: remove postgres.json to begin anew")
    owner = owner_for(home)
    chosen = binaries or _fitting(home / "data" / "PG_VERSION")
    if owner.uid != os.geteuid() and not is_open_to_all(chosen.folder):
        chosen = carried_to(home, chosen, owner.uid, owner.gid)
    return Server(home, chosen, owner)


def _fitting(version_file: Path) -> Binaries:
    found = find_binaries()
    if not version_file.exists():
        return found[0]
    major = int(version_file.read_text(encoding="ascii"))
    for candidate in found:
        if candidate.major == major:
            return candidate
    raise PostgresFailed(f"{version_file.parent} was made by PostgreSQL {major}, which is gone: install it, or move the folder away")


def _read(instance: Path) -> Kept | None:
    try:
        return Kept(**json.loads((instance / "postgres.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _write(instance: Path, kept: Kept) -> None:
    draft = instance / "postgres.json.draft"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(kept), indent=1), encoding="utf-8")
    draft.replace(instance / "postgres.json")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Only one process starts or stops. Polled, so that other greenlets of a patched process go on."""
    deadline = time.monotonic() + LOCK_SECONDS
    with path.open("ab") as file:
        while not _try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise PostgresFailed(f"Another process has held {path} for {LOCK_SECONDS} s")
            time.sleep(0.02)
        yield


def _try_lock(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
