"""Alarms as they are sounded: kept in memory, bounded, without secrets, and written down as soon as there is a database."""

import ast
import re
import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from reseller import alarms, heart
from reseller.alarms import MANY, MAX_KEPT
from reseller.domain.alarms import ALARMS, open_alarms
from reseller.domain.payments.suspense import Why
from reseller.errors import UpstreamFailure
from reseller.heart import Heart
from tests.house.source import ROOT, files, tree


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    alarms.take()
    yield
    alarms.take()


def sounded_in_code() -> set[str]:
    """Every name that the code sounds, notes, holds or finds as a condition: in letters, or of a reason why money is put aside."""
    names = {f"payment_{why}" for why in Why}
    for path in files("reseller"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("sound", "note", "hold"):
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    names.add(first.value)
    return names


def test_what_is_sounded_again_is_one_note_with_a_count_and_the_last_words() -> None:
    for words in ("first", "second"):
        alarms.sound("upstream_key_refused", "openrouter", words)

    [seen] = alarms.take()

    assert (seen.alarm, seen.subject, seen.words, seen.count) == ("upstream_key_refused", "openrouter", "second", 2)
    assert seen.first_at <= seen.last_at
    assert alarms.take() == []


def test_what_is_given_back_joins_what_was_sounded_meanwhile() -> None:
    alarms.sound("request_failed", "api", "old")
    taken = alarms.take()
    alarms.sound("request_failed", "api", "new")

    alarms.give_back(taken)

    [seen] = alarms.take()
    assert (seen.count, seen.words) == (2, "new")


def test_notes_are_bounded_whatever_the_subjects() -> None:
    for number in range(MAX_KEPT + 200):
        alarms.note("payment_foreign", f"cs_{number}")

    taken = alarms.take()

    assert len(taken) == MAX_KEPT + 1
    assert sum(each.count for each in taken) == MAX_KEPT + 200
    assert [each.count for each in taken if each.subject == MANY] == [200]


def test_no_alarm_is_lost_between_threads_that_sound_and_one_that_takes() -> None:
    taken: list[alarms.Sighting] = []
    sounders = [
        threading.Thread(target=lambda n=n: [alarms.note("request_failed", f"{n} {each}") for each in range(100)]) for n in range(4)
    ]
    for thread in sounders:
        thread.start()
    while any(thread.is_alive() for thread in sounders):
        taken += alarms.take()
    taken += alarms.take()

    assert len({each.subject for each in taken}) == 400


def test_words_hold_no_secret_and_no_end() -> None:
    alarms.note("request_failed", "x" * 999, f"key sk_live_{'a' * 49} \x00 \ud800 " + "y" * 999)

    [seen] = alarms.take()

    assert "a" * 20 not in seen.words
    assert "\x00" not in seen.words
    seen.words.encode()  # Guard: a heart that cannot write it down would stand still, and its calls be ended
    assert (len(seen.subject), len(seen.words)) == (200, 500)


def test_a_heart_writes_down_what_was_sounded_and_keeps_it_while_the_database_is_away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    beating = Heart(app, "web")
    alarms.sound("upstream_key_refused", "openrouter")

    def away(_sightings: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("away"))

    with monkeypatch.context() as patched:
        patched.setattr(heart, "keep", away)
        beating.tick()
    alarms.sound("upstream_key_refused", "openrouter")
    beating.tick()

    assert [(row.alarm, row.subject, row.times) for row in open_alarms()] == [("upstream_key_refused", "openrouter", 2)]


def test_every_alarm_that_the_code_sounds_has_a_meaning() -> None:
    missing = sounded_in_code() - set(ALARMS)

    assert len(sounded_in_code()) > 10
    assert not missing, f"Say what it means and what to do in domain/alarms/catalogue.py: {missing}"


def test_every_alarm_of_an_upstream_has_a_meaning() -> None:
    source = (ROOT / "reseller/clients/failures.py").read_text() + (ROOT / "reseller/clients/connections.py").read_text()
    named = {
        word.strip('"') for word in source.replace(",", " ").replace("}", " ").replace(")", " ").split() if word.startswith('"upstream_')
    }

    assert issubclass(UpstreamFailure, Exception)
    assert {name for name in named if name not in ALARMS} == set()


def test_every_alarm_says_what_it_means_and_what_to_do() -> None:
    assert [name for name, each in ALARMS.items() if not (each.title and each.means and each.to_do)] == []


def test_the_table_of_readme_has_every_alarm_and_nothing_else() -> None:
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index("| alarm | means | do |") :].split("\n\n", 1)[0]
    named = {name for line in table.splitlines()[2:] for name in re.findall(r"`([a-z_…]+)`", line.split("|")[1])}
    prefix = "payment_wrong_"

    assert named == {f"{prefix}…" if name.startswith(prefix) else name for name in ALARMS}
