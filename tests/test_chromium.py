"""A Chromium is found, or got where that is allowed, or the sentence says what to do."""

import os
from pathlib import Path

import pytest

from tests import chromium


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, on a machine without any browser, for somebody who is not root."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "playwrights_own", lambda: str(tmp_path / "downloaded"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def program(path: Path, lines: str) -> Path:
    """A shell script at this path."""
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", chromium.NAMES)
def test_the_machines_own_is_found(programs: Path, name: str) -> None:
    own = program(programs / name, "echo Chromium 156.0")

    assert chromium.find() == str(own)


def test_one_without_windows_comes_before_others(programs: Path) -> None:
    program(programs / "chromium", "echo Chromium 156.0")
    lighter = program(programs / "chromium-headless-shell", "echo Chromium 156.0")

    assert chromium.find() == str(lighter)


def test_the_one_that_is_named_comes_first(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs / "chromium", "echo Chromium 156.0")
    named = program(programs / "mine", "echo Google Chrome 150.0")
    monkeypatch.setenv("CHROMIUM", str(named))

    assert chromium.find() == str(named)


def test_a_named_one_that_is_none_is_refused_and_nothing_is_installed(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", str(program(programs / "mine", "echo vim")))

    with pytest.raises(chromium.NoChromium, match="CHROMIUM names .*: correct the variable or unset it"):
        chromium.ensure()


def test_a_pointer_to_a_package_that_is_not_there_is_none(programs: Path) -> None:
    """Ubuntu's chromium-browser without its snap."""
    program(programs / "chromium-browser", "echo 'requires the chromium snap' >&2; exit 10")
    downloaded = program(programs / "downloaded", "echo Chromium 156.0")

    assert chromium.find() == str(downloaded)


def test_root_gets_the_distributions(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    monkeypatch.setattr(chromium, "NAMES", ("test-chromium",))
    got = programs / "test-chromium"
    program(programs / "apt-get", f"case \"$*\" in *install*) printf '#!/bin/sh\necho Chromium 156.0\n' > {got}; chmod 755 {got};; esac")

    assert chromium.ensure() == str(got)


def test_a_distribution_without_the_lighter_one_gives_the_other(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{programs}:/bin:/usr/bin")
    monkeypatch.setattr(chromium, "NAMES", ("test-chromium",))
    got = programs / "test-chromium"
    program(
        programs / "apt-get",
        f"case \"$*\" in *shell) exit 100;; *install*) printf '#!/bin/sh\necho Chromium 156.0\n' > {got}; chmod 755 {got};; esac",
    )

    assert chromium.ensure() == str(got)


def test_without_any_the_sentence_says_what_to_do(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chromium, "ways", lambda: [((str(program(programs / "installer", "echo no network >&2; exit 1")),),)])

    code = chromium.main()

    said = capsys.readouterr().err
    assert code == 1
    assert "no network" in said
    assert "apt-get install chromium" in said
    assert "CHROMIUM=/path/to/chromium" in said
