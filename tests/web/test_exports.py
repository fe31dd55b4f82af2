"""Files that are written while they are sent: whole, in turns, and their place is free again however they end (R31)."""

import contextvars
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from reseller import silence, turns
from reseller.backoffice import calls as staff_calls
from reseller.backoffice import tables
from reseller.clock import new_id, now
from reseller.domain import ledger
from reseller.domain.accounts import Person, Role
from reseller.domain.desk import call_list
from reseller.domain.ledger import EntryDraft, EntryKind, history
from reseller.domain.usage import request_id
from reseller.portal.usage import calls as own_calls
from reseller.turns import QUEUES
from reseller.web.page_turns import EXPORTS_AT_ONCE
from tests import factories
from tests.domain import scenes
from tests.domain.usage import calls
from tests.staff import client_of, cookie_of

HERE = "203.0.113.1"
THERE = next(network for number in range(256) if hash(network := f"198.51.100.{number}") % QUEUES != hash(HERE) % QUEUES)
FILE = "/usage/calls.csv"


class Download:
    """A file on its way to somebody who takes it piece by piece, in contexts of its own, as on a server."""

    def __init__(self, app: Flask, person: Person, path: str = FILE, *, address: str = HERE, method: str = "GET") -> None:
        name, value = cookie_of(app, person.user_id, has_second_factor=False)
        client = FlaskClient(app, app.response_class, use_cookies=True)
        client.set_cookie(name, value)
        self._is_over = False
        self._context = contextvars.Context()
        self.answer = self._context.run(client.open, path, method=method, environ_base={"REMOTE_ADDR": address})
        self._pieces: Iterator[bytes] = self._context.run(self.answer.iter_encoded)

    def piece(self) -> bytes:
        return self._context.run(next, self._pieces, b"")

    def rest(self) -> bytes:
        """Everything that was not taken yet, and the end."""
        pieces = list(iter(self.piece, b""))
        self.hang_up()
        return b"".join(pieces)

    def hang_up(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._context.run(self.answer.close)


def table(text: str | bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text if isinstance(text, str) else text.decode(), newline="")))


def calls_of(person: Person, count: int, *, instants: int = 300, **changes: Any) -> list[dict[str, Any]]:
    """So many calls of the account, many in the same millisecond; the newest first."""
    chance = Random(7)
    start = now() - timedelta(days=3)
    moments = [start + timedelta(milliseconds=chance.randrange(86_400_000)) for _ in range(instants)]
    rows = calls.random_rows(chance, [person.account_id], count, start=start, days=1)
    for row in rows:
        at = chance.choice(moments)
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        row |= {"created_at": at, "id": new_id(at), "settled_at": at} | changes
    calls.write(rows)
    return sorted(rows, key=lambda row: row["id"], reverse=True)


def facts_of_file(text: str | bytes) -> list[tuple[Any, ...]]:
    return [
        (
            row["request_id"],
            row["status"],
            row["model"],
            int(row["prompt_tokens"]),
            int(row["completion_tokens"]),
            Decimal(row["charge_usd"]),
        )
        for row in table(text)
    ]


def facts_of_rows(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            request_id(row["id"]), row["status"], row["model"], row["prompt_tokens"], row["completion_tokens"],
            Decimal(row["charge_nano"]).scaleb(-9),
        )
        for row in rows
    ]  # fmt: skip


def test_a_file_of_many_slices_has_every_call_once_and_in_order(app: Flask) -> None:
    """At the size of real slices, with calls of one instant on both sides of a cut; what a customer and what staff get."""
    person, other = factories.make_person(), factories.make_person()
    rows = calls_of(person, 2 * own_calls.EXPORT_SLICE + 350)
    calls_of(other, 50)

    own = client_of(app, person=person, has_second_factor=False).get(FILE).text
    of_staff = client_of(app, Role.FINANCE).get(f"/admin/calls/export/csv/?account={person.account_id}").text

    assert facts_of_file(own) == facts_of_rows(rows)
    told = [(row["Id"], Decimal(row["Charge"]), row["Account id"]) for row in table(of_staff)]
    assert told == [(request_id(row["id"]), Decimal(row["charge_nano"]).scaleb(-9), str(person.account_id)) for row in rows]


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows of a slice."""
    for module in (tables, staff_calls, own_calls):
        monkeypatch.setattr(module, "EXPORT_SLICE", 40)
    monkeypatch.setattr(history, "SLICE", 40)
    return 40


@pytest.mark.parametrize("more", [0, 1, 17])
def test_a_ledger_of_many_slices_adds_up_to_the_balance(app: Flask, small_slices: int, more: int) -> None:
    """Also where the last slice is full, and where it holds one entry."""
    person, chance = factories.make_person(), Random(11)
    for _ in range(4 * small_slices + more):
        ledger.post(EntryDraft(person.account_id, EntryKind.TOP_UP, chance.randrange(1, 10**12), str(new_id()), "test"))
    written = scenes.rows("SELECT * FROM ledger_entries ORDER BY sequence DESC")

    own = table(client_of(app, person=person, has_second_factor=False).get("/billing/entries.csv").text)
    of_staff = table(client_of(app, Role.FINANCE).get("/admin/ledger/export/csv/").text)

    assert [row["entry"] for row in own] == [row["Entry"] for row in of_staff] == [str(entry["id"]) for entry in written]
    for amounts in ([row["amount_usd"] for row in own], [row["Amount"] for row in of_staff]):
        assert [Decimal(amount) for amount in amounts] == [Decimal(entry["amount_nano"]).scaleb(-9) for entry in written]
        assert sum(map(Decimal, amounts)) == Decimal(ledger.balance_now(person.account_id).settled_nano).scaleb(-9)
    assert Decimal(own[0]["balance_usd"]) == Decimal(ledger.balance_now(person.account_id).settled_nano).scaleb(-9)


@pytest.mark.parametrize("more", [0, 1, 30])
def test_a_file_ends_at_its_bound_and_says_so_where_there_is_more(
    app: Flask, small_slices: int, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    bound = 2 * small_slices + 10
    for module in (tables, own_calls):
        monkeypatch.setattr(module, "EXPORT_ROWS", bound)
    person = factories.make_person()
    rows = calls_of(person, bound + more)[:bound]

    own = client_of(app, person=person, has_second_factor=False).get(FILE).text
    of_staff = client_of(app, Role.FINANCE).get("/admin/calls/export/csv/").text

    for file in (own, of_staff):
        ends = file.rstrip().splitlines()[-1].startswith('"Cut after 90 rows: narrow the filters')
        assert ends == (more > 0)
    kept = [file.rsplit('"Cut after', 1)[0] for file in (own, of_staff)]
    assert facts_of_file(kept[0]) == facts_of_rows(rows)
    assert [row["Id"] for row in table(kept[1])] == [request_id(row["id"]) for row in rows]


def test_calls_that_come_while_a_file_is_sent_move_none_of_it(app: Flask, small_slices: int) -> None:
    person = factories.make_person()
    rows = calls_of(person, 250)
    download = Download(app, person)

    begun = download.piece()
    calls.write([calls.row(now(), person.account_id, id=new_id()) for _ in range(100)])
    whole = begun + download.rest()

    assert len(begun) < len(whole) / 2
    assert facts_of_file(whole) == facts_of_rows(rows)


@pytest.mark.parametrize("path", [FILE, "/admin/calls/export/csv/"])
def test_a_file_whose_rows_are_far_apart_is_not_given_up_halfway(app: Flask, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """R13: a request waits for the database a few seconds in all. Each look back in time is a question of its own, rows or no rows."""
    find, left = call_list.find, []

    def slow(*given: Any, **more: Any) -> Any:
        patience = silence._patience.get()
        assert patience is not None
        left.append(patience.left)
        patience.left -= 1.0  # as if the database had taken so long
        return find(*given, **more | {"seconds": 0.0})

    monkeypatch.setattr(call_list, "find", slow)
    person = factories.make_person()
    rare = [
        calls.row(at, person.account_id, id=new_id(at), model="acme/rare") for at in (now() - timedelta(hours=2 * n) for n in range(1, 7))
    ]
    calls.write(rare)
    client = client_of(app, Role.FINANCE) if path.startswith("/admin") else client_of(app, person=person, has_second_factor=False)

    found = table(client.get(f"{path}?model=acme/rare").text)

    assert [row.get("request_id") or row.get("Id") for row in found] == [request_id(row["id"]) for row in rare]
    assert len(left) > 6
    assert min(left) > 1.0


@dataclass(frozen=True, slots=True)
class Shelf:
    """An app whose patience with those who wait is short, and somebody with a file of several pieces."""

    app: Flask
    person: Person
    begun_ones: list[Download] = field(default_factory=list)

    def download(self, path: str = FILE, **more: Any) -> Download:
        self.begun_ones.append(Download(self.app, self.person, path, **more))
        return self.begun_ones[-1]

    def begun(self) -> Download:
        """A file of which somebody has the first piece."""
        download = self.download()
        assert download.answer.status_code == 200
        assert download.piece().startswith(b"date,request_id")
        return download

    @property
    def is_full(self) -> bool:
        """Whether no further file is begun."""
        download = self.download()
        download.hang_up()
        return int(download.answer.status_code) == 429


@pytest.fixture
def shelf(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setattr(turns, "LONGEST_SECONDS", 0.05)
    person = factories.make_person()
    calls_of(person, 550)
    made = Shelf(app, person)
    yield made
    for download in made.begun_ones:
        download.hang_up()


def test_a_third_file_of_a_network_at_once_is_refused_in_words(shelf: Shelf) -> None:
    two = [shelf.begun() for _ in range(EXPORTS_AT_ONCE)]

    refused, ledger_file = shelf.download(), shelf.download("/billing/entries.csv")
    page, elsewhere = shelf.download("/overview"), shelf.download(address=THERE)
    whole = facts_of_file(elsewhere.rest())

    for answer in (refused.answer, ledger_file.answer):
        assert (answer.status_code, answer.mimetype, answer.headers["Retry-After"]) == (429, "text/html", "5")
        assert "Content-Disposition" not in answer.headers
        assert "Too many exports at once. Wait for the answers to some of them." in answer.text
    assert page.answer.status_code == 200
    assert elsewhere.answer.status_code == 200
    assert len(whole) == 550
    for download in two:
        assert len(download.rest()) > 10_000
    assert not shelf.is_full


def read_to_the_end(download: Download) -> None:
    assert download.rest()


def hung_up_in_the_middle(download: Download) -> None:
    download.piece()
    download.hang_up()


def broken_off(download: Download) -> None:
    """By a mistake of ours, or a database that is gone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_calls, "csv_cells", _fails)
        with pytest.raises(RuntimeError):
            download.rest()
    download.hang_up()


def _fails(*_: object) -> list[str]:
    raise RuntimeError("a mistake of ours")


@pytest.mark.parametrize("ended", [read_to_the_end, hung_up_in_the_middle, broken_off])
def test_a_place_is_free_again_however_its_file_ended(shelf: Shelf, ended: Callable[[Download], None]) -> None:
    kept = shelf.begun()
    for _ in range(3):
        going = shelf.begun()
        was_full = shelf.is_full
        ended(going)

        assert was_full
        assert not shelf.is_full
    kept.hang_up()


def test_files_that_were_never_begun_or_refused_keep_no_place(shelf: Shelf) -> None:
    for _ in range(EXPORTS_AT_ONCE + 1):
        shelf.download(method="HEAD").hang_up()
        shelf.download().hang_up()
    two = [shelf.begun() for _ in range(EXPORTS_AT_ONCE)]
    refused = [shelf.is_full for _ in range(3)]
    for download in two:
        download.hang_up()

    assert refused == [True] * 3
    assert [len(facts_of_file(download.rest())) for download in [shelf.download() for _ in range(EXPORTS_AT_ONCE)]] == [550] * 2
