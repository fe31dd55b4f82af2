"""README names what is there."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from tests.deployment import running_app, settings_over
from tests.house.source import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
NO_SETTINGS = {"TEST_ON_OLDEST_POSTGRES", "NAME_FILE"}


@pytest.fixture(scope="module")
def app_without_database() -> Iterator[Flask]:
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_over("postgresql+psycopg://nobody@127.0.0.1:9/none", Path(folder))
        with running_app(settings) as app:
            yield app


def test_every_test_that_readme_names_exists() -> None:
    """Inside the table of promises paths start below tests/."""
    named = set(re.findall(r"`(?:tests/)?((?:[a-z_]+/)+(?:test_[a-z_]+|evidence)\.py)`", README))

    missing = sorted(path for path in named if not (ROOT / "tests" / path).is_file())

    assert len(named) > 20
    assert not missing, f"README promises a proof that is not there: {missing}"


def test_every_folder_and_module_of_the_map_exists() -> None:
    table = README[README.index("## Map") : README.index("Where to add")]
    named = re.findall(r"`((?:reseller|config|migrations|tests)/[a-z_/]*(?:\.py|/))`", table)

    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_command_that_readme_names_exists_with_its_options(app_without_database: Flask) -> None:
    lines = re.findall(r"`flask ([^`]+)`", README) + re.findall(r"^flask (.+?)(?: {2,}#.*)?$", README, re.MULTILINE)

    missing = [line for line in lines if not _is_command(app_without_database.cli, line.split())]

    assert len(lines) > 30
    assert not missing, f"README names commands or options that are not there: {missing}"


def test_every_page_that_readme_names_exists(app_without_database: Flask) -> None:
    """Paths of the API are in a table of their own, which openapi.json is held to."""
    pages = README[: README.index("## The API")]
    named = set(re.findall(r"`(?:PUBLIC_URL)?(/(?!v1|api/)[a-z][a-z0-9/._-]*)`", pages))
    urls = app_without_database.url_map.bind("localhost")

    missing = []
    for path in sorted(named):
        try:
            urls.match(path)
        except (MethodNotAllowed, RequestRedirect):
            continue
        except NotFound:
            missing.append(path)

    assert len(named) > 30
    assert not missing, f"README names pages that are not there: {missing}"


def test_every_variable_that_readme_names_exists() -> None:
    known = set(re.findall(r"^([A-Z_]+)=", (ROOT / "config/env.example").read_text(encoding="utf-8"), re.MULTILINE)) | NO_SETTINGS
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", README)) | set(re.findall(r"^([A-Z]+_[A-Z_]+)=", README, re.MULTILINE))

    assert len(named) > 30
    assert named - known == set()


def test_every_section_that_the_head_leads_to_exists() -> None:
    headings = {re.sub(r"[^a-z -]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^## (.+)$", README, re.MULTILINE)}
    linked = set(re.findall(r"\]\(#([a-z-]+)\)", README))

    assert linked
    assert linked <= headings


def test_every_picture_is_there_and_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    taken = {str(path.relative_to(ROOT)) for path in (ROOT / "tests/screenshots").glob("*.webp")}

    assert set(shown) == taken, "README shows what `make screenshots` takes"
    assert [path for path in shown if (ROOT / path).stat().st_size > 150_000] == []


def _is_command(command: click.Command | None, words: list[str]) -> bool:
    """Whether the words lead to a command, and it has every option that stands behind its name."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.get_command(click.Context(command), words[0]), words[1:]
    if command is None or (isinstance(command, click.Group) and words and words[0] != "--help"):
        return False
    options = {option for parameter in command.params for option in parameter.opts}
    return {word for word in words if word.startswith("--")} <= options | {"--help"}
