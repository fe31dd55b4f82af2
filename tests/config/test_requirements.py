"""What is installed is pinned, hashed, and the same in production and in tests (R38)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = {"flask", "flask-login", "flask-admin", "flask-sqlalchemy", "flask-migrate", "authlib", "stripe", "requests", "gevent", "plotly"}
LOCKS = ("config/requirements.lock", "config/postgres.lock", "tests/requirements.lock")


def wanted(file: str) -> dict[str, str]:
    """Name → version of the lines of a requirements file; a line without an exact version fails."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    pairs = [line.split("==") for line in lines if line and not line.startswith("-r")]
    assert all(len(pair) == 2 for pair in pairs), f"pin every line of {file} with =="
    return {re.sub(r"\[.*\]", "", name).lower(): version for name, version in pairs}


def locked(file: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ]+) \\$", (ROOT / file).read_text(), re.MULTILINE))


def test_every_named_package_is_wanted() -> None:
    assert wanted("requirements.txt").keys() >= NAMED


def test_every_package_that_we_added_has_its_reason() -> None:
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        name = line.partition("==")[0]
        if line and not line.startswith("#") and name not in NAMED:
            assert re.search(r"# \S", line), f"say in requirements.txt why {name} is there"


def test_the_locks_hold_what_is_wanted() -> None:
    assert wanted("requirements.txt").items() <= locked("config/requirements.lock").items(), "run `make locks`"
    assert wanted("config/postgres.txt").items() <= locked("config/postgres.lock").items(), "run `make locks`"
    assert wanted("tests/requirements.txt").items() <= locked("tests/requirements.lock").items(), "run `make locks`"


def test_tests_run_on_the_versions_of_production() -> None:
    assert locked("config/requirements.lock").items() <= locked("tests/requirements.lock").items(), "run `make locks`"


def test_every_locked_package_has_hashes_and_no_address() -> None:
    for file in LOCKS:
        text = (ROOT / file).read_text()
        assert len(re.findall(r"==.* \\\n    --hash=sha256:", text)) == len(locked(file)), f"a package in {file} has no hash"
        assert "://" not in text
        assert "index-url" not in text
        assert "find-links" not in text


def test_packages_that_break_others_by_being_installed_are_absent() -> None:
    for file in LOCKS:
        assert not {"flask-babel", "gunicorn-h1c", "freezegun"} & locked(file).keys()
