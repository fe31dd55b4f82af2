"""What some tests need of the machine besides Chromium: nginx, and libfaketime, which gives a process a wall clock of its own.

`python -m tests.system_packages` installs what is missing where that is allowed (as root, with apt): `make test` begins with
it, so that no test installs anything. A test without its package is skipped, and says which one is missing.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chromium import APT, done

FAKETIME = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1")


def nginx() -> str | None:
    """The path of an nginx that starts; None if there is none."""
    path = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path and subprocess.run([path, "-v"], capture_output=True, check=False).returncode == 0:
        return path
    return None


def faketime() -> str | None:
    """The path of libfaketime; None if there is none."""
    return next((str(path) for pattern in FAKETIME for path in sorted(Path("/").glob(pattern[1:]))), None)


PACKAGES: dict[str, Callable[[], str | None]] = {"nginx": nginx, "libfaketime": faketime}
"""Debian's name of a package → how it is found here."""


def needed(package: str) -> str:
    """The path; without one the test is skipped, with the reason."""
    path = PACKAGES[package]()
    if path is None:
        pytest.skip(f"{package} is not installed, and this test needs it (Debian, as root: apt-get install {package})")
    return path


def main() -> int:
    """0 always: tests that lack a package say so themselves."""
    missing = [package for package, find in PACKAGES.items() if find() is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in ((*APT, "update"), (*APT, "install", "--yes", "--no-install-recommends", *missing)):
            done(command, wanted=" and ".join(missing))
    for package, find in PACKAGES.items():
        print(f"{package}: {find() or 'none, and tests that need it are skipped'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
