"""The Chromium that browser tests drive: the one that is named, the machine's own, Playwright's, or one that is installed now.

`python -m tests.chromium` says which, after installing one where that is allowed: `make test` begins with it, so that no
test installs anything. Chromium and not another browser, because every distribution has it and one is enough to see
scripts, styles and the policy at work.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first is Chromium without windows, in a package of its own on Debian: the same pages in two thirds of the time."""

INSTALL_SECONDS = 600
ANSWER_SECONDS = 30
APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120")


class NoChromium(Exception):
    """There is none, and the text says what to do."""


def find() -> str:
    """The path of a Chromium that starts. Raises NoChromium; installs nothing."""
    named = os.environ.get("CHROMIUM")
    if named:
        if not starts(named):
            raise NoChromium(f"CHROMIUM names {named}, which does not start as a Chromium would: correct the variable or unset it.")
        return named
    for path in (*filter(None, map(shutil.which, NAMES)), playwrights_own()):
        if starts(path):
            return path
    raise NoChromium(
        "Browser tests need a Chromium: install it (Debian: apt-get install chromium), or have Playwright download its own"
        f" ({sys.executable} -m playwright install chromium), or name one with CHROMIUM=/path/to/chromium."
    )


def ensure() -> str:
    """The path of a Chromium that starts, installed if need be: from the distribution as root, else Playwright's download."""
    try:
        return find()
    except NoChromium:
        if os.environ.get("CHROMIUM"):
            raise
    for commands in ways():
        if all(done(command) for command in commands):
            try:
                return find()
            except NoChromium:  # installed, and does not start: Ubuntu's package is a pointer to a snap
                continue
    return find()


def ways() -> list[Sequence[Sequence[str]]]:
    """What can be tried here, the first choice first; each way is a series of commands."""
    playwright = (sys.executable, "-m", "playwright")
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return [((*playwright, "install", "chromium"),)]
    install = (*APT, "install", "--yes", "--no-install-recommends")
    return [
        ((*APT, "update"), (*install, "chromium-headless-shell")),
        ((*install, "chromium"),),
        ((*playwright, "install", "--with-deps", "chromium"),),
    ]


def done(command: Sequence[str], *, wanted: str = "Chromium") -> bool:
    """The command ran and succeeded; what it complained about stands on stderr. Services that it installs are not started."""
    print(f"no {wanted} yet: {' '.join(command)}", file=sys.stderr, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    try:
        ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return False
    if ended.returncode:
        print((ended.stderr or ended.stdout).strip()[-2000:], file=sys.stderr)
    return ended.returncode == 0


def starts(path: str) -> bool:
    """Whether the program says that it is a Chromium."""
    if not Path(path).is_file():
        return False
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and "Chrom" in said.stdout


def playwrights_own() -> str:
    """Where Playwright's download is, or would be."""
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def main() -> int:
    try:
        print(f"browser tests use {ensure()}")
    except NoChromium as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
