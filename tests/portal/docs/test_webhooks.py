"""The page about webhooks says what is sent: its samples are EVENTS, and its checks of a signature run on what we sign."""

import html
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from reseller.clock import unix_seconds
from reseller.domain import pricing
from reseller.domain.outbox import EVENTS
from reseller.domain.webhooks import new_secret, signed_headers
from reseller.portal.docs import receiving
from tests import factories
from tests.domain.webhooks import hooking

BODY = json.dumps({"id": "evt_1", "type": "key.created", "data": {"name": "ключ"}}).encode()


def page(app: Flask) -> str:
    return html.unescape(app.test_client().get("/docs/webhooks").get_data(as_text=True))


def test_every_event_that_an_account_can_hear_of_is_there_with_what_it_tells(app: Flask) -> None:
    text = page(app)

    for name, kind in EVENTS.items():
        assert f'<article id="{name}">' in text
        said = re.sub(r"</?code>", "", text)
        assert all(words.replace("`", "") in said for words in (kind.description, *kind.fields, *kind.fields.values()))


def test_that_a_model_is_withdrawn_promises_nothing_to_whom_it_is_still_sold(app: Flask) -> None:
    """Everybody is told what became of the general price list, whoever has prices of their own too."""
    factories.make_model(slug="acme/one")
    general = factories.make_rule()
    apart, other = factories.make_person(), factories.make_person()
    factories.make_rule(account_id=apart.account_id)
    pricing.tell_of_prices()
    pricing.retire_rule(general.id, "test", reason="for a test")

    assert pricing.tell_of_prices() == (0, 1, 0)

    sold = {who: [offer.model for offer in pricing.Book().snapshot.models_for(who.account_id)] for who in (apart, other)}
    assert sold == {apart: ["acme/one"], other: []}
    about = page(app).split('<article id="model.withdrawn">')[1].split("</article>")[0]
    assert "general price list" in about
    assert "prices of your own" in about


def test_samples_look_like_what_is_sent(app: Flask) -> None:
    person = factories.make_person()
    hooking.add(person)
    factories.mint_key(person)
    hooking.tell(person, 0)
    [claimed] = hooking.claim()
    sent = json.loads(claimed.body)

    [sample] = [json.loads(found) for found in re.findall(r"<code>(\{\n.*?)</code>", page(app), re.DOTALL) if '"key.created"' in found]

    assert list(sample) == list(sent)
    assert list(sample["data"]) == list(sent["data"])
    assert {name: type(value) for name, value in sample["data"].items()} == {name: type(value) for name, value in sent["data"].items()}


@pytest.fixture
def receive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The whole receiver of the page, as a program has it: its client of requests, and its secret."""
    secret = new_secret()
    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    (tmp_path / "receiver.py").write_text(receiving.WITH_LIBRARY)
    return runpy.run_path(str(tmp_path / "receiver.py"))["app"].test_client(), secret


def test_the_receiver_of_the_page_takes_what_we_sign_once(receive: Any, capsys: pytest.CaptureFixture[str]) -> None:
    client, secret = receive
    headers = signed_headers("evt_1", unix_seconds(), BODY, [new_secret(), secret])  # while it is rotated

    statuses = [client.post("/hooks", data=BODY, headers=headers).status_code for _ in range(2)]

    assert statuses == [204, 204]
    assert capsys.readouterr().out.count("key.created") == 1


def test_the_receiver_of_the_page_refuses_what_others_send(receive: Any) -> None:
    client, secret = receive
    headers = signed_headers("evt_1", unix_seconds(), BODY, [secret])

    refused = [
        client.post("/hooks", data=BODY + b" ", headers=headers),
        client.post("/hooks", data=BODY, headers=signed_headers("evt_1", unix_seconds(), BODY, [new_secret()])),
        client.post("/hooks", data=BODY, headers=signed_headers("evt_1", unix_seconds() - 3_600, BODY, [secret])),
    ]

    assert [answer.status_code for answer in refused] == [400, 400, 400]


def test_the_check_without_a_library_agrees() -> None:
    program: dict[str, Any] = {}
    exec(receiving.WITHOUT_LIBRARY, program)
    verified, secret = program["verified"], new_secret()
    headers = signed_headers("evt_1", unix_seconds(), BODY, [secret])

    assert verified(secret, headers, BODY)
    assert verified(secret, signed_headers("evt_1", unix_seconds(), BODY, [new_secret(), secret]), BODY)
    assert not verified(secret, headers, BODY + b" ")
    assert not verified(new_secret(), headers, BODY)
    assert not verified(secret, signed_headers("evt_1", unix_seconds() - 301, BODY, [secret]), BODY)


def test_the_page_names_the_texts_that_were_run(app: Flask) -> None:
    text = page(app)

    assert all(snippet.code in text for snippet in receiving.CHECKS)
