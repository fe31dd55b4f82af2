"""README names what is there."""

import re

from tests.house.source import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


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


def test_every_picture_is_there_and_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    taken = {str(path.relative_to(ROOT)) for path in (ROOT / "tests/screenshots").glob("*.webp")}

    assert set(shown) == taken, "README shows what `make screenshots` takes"
    assert [path for path in shown if (ROOT / path).stat().st_size > 150_000] == []
