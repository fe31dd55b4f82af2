"""What was taken from others is byte for byte what they published, and fits what the server speaks."""

import hashlib
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "reseller/web/static/vendor"
FOLDERS = sorted([*VENDOR.iterdir(), *(ROOT / "tests/vendor").iterdir()])
PLOTLY = VENDOR / "plotly.js-basic-dist-min-4.1.1"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_vendored_file_has_the_hash_that_was_noted(folder: Path) -> None:
    noted = dict(reversed(line.split()) for line in (folder / "SHA256").read_text().splitlines())

    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in noted}

    assert found == noted
    assert "LICENSE" in noted


def test_the_chart_library_is_the_one_the_python_package_carries() -> None:
    """Figures are built by `plotly` and drawn by plotly.js: another major reads other names."""
    carried = (resources.files("plotly") / "package_data" / "plotly.min.js").read_text()[:200]

    version = PLOTLY.name.rpartition("-")[2]

    assert f"plotly.js v{version}" in carried
    assert f"plotly.js (basic - minified) v{version}" in (PLOTLY / "plotly-basic.min.js").read_text()[:200]
