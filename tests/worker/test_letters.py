"""Letters put into words and sent by a worker: in the brand's name, over real SMTP, and again when the server fails."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from config import SettingsRefused
from reseller.domain import letters
from reseller.domain.identity import links
from reseller.domain.identity.sealing import Seal
from reseller.domain.letters import SEALED_FOR, LetterKind
from reseller.domain.registration import resets
from reseller.heart import Heart
from reseller.wiring import wiring_of
from reseller.worker import letters as jobs
from reseller.worker import wording
from reseller.worker.context import Context
from tests import factories
from tests.domain import scenes
from tests.fakes.smtp import MailServer, link_in
from tests.servers import free_port

MakeContext = Callable[..., Context]
FACTS = {
    "what": "added",
    **{"old_email": "old@example.com", "new_email": "new@example.com", "address": "192.0.2.1"},
    **{"provider": "Example", "balance": "$4.99", "amount": "$5.00", "line": "$5.00", "key": "sk_live_abcd…", "day": "2 December 2026"},
    **{"endpoint": "example.com", "said": "answered 410"},
    **{
        "spent": "$6.00",
        "budget": "$5.00",
        "span": "on 2 December 2026",
        "about": "of the account",
        "list": "job_stuck: a job",
        "more": "5 others",
    },
}


@pytest.fixture
def post() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def make_context(app: Flask, make_app: Callable[..., Flask], post: MailServer) -> MakeContext:
    """A worker's context whose letters go to `post`. Keywords are environment variables."""

    def make(**environ: str) -> Context:
        ours = {"MAIL_URL": post.url, "MAIL_FROM": "post@acme.example", "PUBLIC_URL": "https://shop.example", "SECRET_KEY": "s" * 40}
        settings = wiring_of(make_app(**{**ours, **environ})).settings
        return Context(replace(wiring_of(app), settings=settings), Heart(app, "worker"), is_once=True)

    return make


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """The operator's own folder of letters."""
    (tmp_path / "texts").mkdir()
    return tmp_path / "texts"


def write(kind: LetterKind = LetterKind.RESET_PASSWORD, recipient: str = "ann@example.com") -> None:
    token = Seal("s" * 40, SEALED_FOR).close("the-token") if kind in jobs.PATHS else ""
    letters.write(kind, recipient, facts=FACTS, sealed_token=token)


def states() -> list[str]:
    return [row["state"] for row in scenes.rows("SELECT state FROM letters ORDER BY recipient")]


@pytest.mark.parametrize("kind", wording.KINDS)
def test_every_letter_is_in_the_brands_name_and_names_no_other(make_context: MakeContext, post: MailServer, kind: LetterKind) -> None:
    write(kind)

    said = jobs.send_letters(make_context(BRAND_NAME="Acme & Söhne", BRAND_SUPPORT_EMAIL="help@acme.example"))

    letter = post.to("ann@example.com")
    plain, page = letter.get_body(("plain",)), letter.get_body(("html",))
    assert said == "1 sent"
    assert plain is not None
    assert page is not None
    assert "Acme & Söhne" in plain.get_content()
    assert "Acme &amp; Söhne" in page.get_content()
    assert not re.search("reseller|openrouter|undefined|{{|{%", plain.get_content() + page.get_content() + letter["Subject"], re.IGNORECASE)
    assert set(re.findall(r"https?://[^/\s\"<]+", plain.get_content())) == {"https://shop.example"}
    if kind in jobs.PATHS:
        assert link_in(letter) == f"https://shop.example{jobs.PATHS[kind][0]}the-token"


def test_letters_with_a_link_go_first() -> None:
    assert jobs.PATHS.keys() <= letters.FIRST


def test_who_asked_for_a_new_password_is_looked_up_by_the_worker(make_context: MakeContext, post: MailServer) -> None:
    known = factories.make_person()
    for email in (known.email, "nobody@example.com"):
        resets.ask(email)

    jobs.send_letters(make_context())

    token = link_in(post.to(known.email)).rpartition("/")[2]
    assert links.look(token, links.Purpose.RESET).user_id == known.user_id
    assert post.to("nobody@example.com")["Subject"] == "There is no account with this address"


def test_letters_about_the_second_factor_say_what_happened_and_what_to_do(make_context: MakeContext, post: MailServer) -> None:
    """R26."""
    for what in ("added", "removed"):
        facts = {"what": what, "address": "192.0.2.1"}
        letters.write(LetterKind.AUTHENTICATOR_CHANGED, f"{what}@example.com", facts=facts)
    letters.write(LetterKind.RECOVERY_CODES_ISSUED, "codes@example.com", facts={"address": ""})

    jobs.send_letters(make_context())

    added, removed, codes = (post.to(f"{name}@example.com") for name in ("added", "removed", "codes"))
    assert added["Subject"] == "An authenticator app was added"
    assert removed["Subject"] == "Your authenticator app was removed"
    assert codes["Subject"] == "You have new recovery codes"
    plain = added.get_body(("plain",))
    assert plain is not None
    assert "https://shop.example/reset" in plain.get_content()
    assert "from the network address 192.0.2.1" in plain.get_content()


def test_the_letter_about_an_endpoint_says_why_it_was_switched_off(make_context: MakeContext, post: MailServer) -> None:
    for name, said in (("gone", "answered 410"), ("failing", "answered 500")):
        letters.write(LetterKind.WEBHOOK_OFF, f"{name}@example.com", facts={"endpoint": "hooks.example.com", "said": said})

    jobs.send_letters(make_context())

    gone, failing = (post.to(f"{name}@example.com").get_body(("plain",)) for name in ("gone", "failing"))
    assert gone is not None
    assert failing is not None
    assert "it answered 410" in gone.get_content()
    assert "nothing got through" not in gone.get_content()
    assert "nothing got through there for three days" in failing.get_content()
    assert "“answered 500”" in failing.get_content()


def test_an_operators_own_text_stands_in_for_ours_and_a_broken_one_does_not(
    make_context: MakeContext, post: MailServer, texts: Path, logged: list[Any]
) -> None:
    (texts / "reset_password.txt").write_text("{{ brand.name }} says\r\n\r\nClick, dear customer:\r\n\r\n{{ link }}\r\n")
    (texts / "password_changed.txt").write_text("Changed\n\n{% if not facts.address %}{{ nonsense.of.ours }}{% endif %}Indeed.")
    write()
    letters.write(LetterKind.PASSWORD_CHANGED, "bob@example.com", facts={"address": ""})

    jobs.send_letters(make_context(BRAND_LETTERS_DIR=str(texts)))

    own, ours = post.to("ann@example.com"), post.to("bob@example.com")
    assert own["Subject"] == "Reseller says"
    assert link_in(own) == "https://shop.example/reset/the-token"
    assert ours["Subject"] == "Your password was changed"
    assert [line["file"] for line in logged if line["event"] == "letter_text_unusable"] == ["password_changed.txt"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("reset_pasword.txt", "S\n\n{{ link }}", "is no letter; there are verify_address.txt,"),
        ("letter.html", "<p>", "is no letter"),
        ("no_account.txt", "S\n\n{{ facts.address }}", "cannot be filled in"),
        ("no_account.txt", "S\n\n{% if %}", "cannot be filled in"),
        ("no_account.txt", "S\n\n{{ 1 / 0 }}", "cannot be filled in"),
        ("no_account.txt", "only a subject", "needs a first line"),
        ("reset_password.txt", "S\n\nwithout the link", "leaves out {{ link }}"),
    ],
)
def test_a_text_that_cannot_be_used_stops_the_start(
    make_app: Callable[..., Flask], texts: Path, name: str, text: str, problem: str
) -> None:
    """R40."""
    (texts / name).write_text(text)

    with pytest.raises(SettingsRefused) as refused:
        make_app(BRAND_LETTERS_DIR=str(texts))

    [said] = refused.value.problems
    assert said.startswith(f"BRAND_LETTERS_DIR: {name} {problem}")


def test_our_own_texts_would_be_accepted(make_app: Callable[..., Flask], texts: Path) -> None:
    """What a text may name is written down once, and truly."""
    for kind in wording.KINDS:
        (texts / f"{kind}.txt").write_text((wording.FOLDER / f"{kind}.txt").read_text())

    make_app(BRAND_LETTERS_DIR=str(texts))

    assert set(jobs.PATHS) == wording.WITH_LINK


def test_legal_pages_stand_in_the_foot(make_context: MakeContext, post: MailServer) -> None:
    write()

    jobs.send_letters(make_context(BRAND_TERMS_URL="https://acme.example/terms", BRAND_PRIVACY_URL="https://acme.example/privacy"))

    for form in ("plain", "html"):
        body: Any = post.to("ann@example.com").get_body((form,))
        assert "Terms: https://acme.example/terms" in body.get_content()
        assert "Privacy: https://acme.example/privacy" in body.get_content()


def test_markup_in_a_fact_is_text(make_context: MakeContext, post: MailServer) -> None:
    letters.write(LetterKind.ADDRESS_CHANGED, "ann@example.com", facts={"new_email": "<b>x</b>@example.com"})

    jobs.send_letters(make_context())

    page: Any = post.to("ann@example.com").get_body(("html",))
    assert "<b>x" not in page.get_content()


def test_a_bad_recipient_keeps_no_other_letter_back(make_context: MakeContext, post: MailServer) -> None:
    post.answers = {"bad@example.com": "550 no such mailbox", "later@example.com": "450 greylisted"}
    for recipient in ("ann@example.com", "bad@example.com", "later@example.com"):
        write(recipient=recipient)

    said = jobs.send_letters(make_context())

    assert said == "1 sent"
    assert states() == ["sent", "refused", "waiting"]


def test_a_letter_that_cannot_be_put_into_words_keeps_no_other_back(make_context: MakeContext) -> None:
    letters.write(LetterKind.ADDRESS_CHANGED, "ann@example.com")  # without the fact that its text tells
    write(recipient="bob@example.com")

    said = jobs.send_letters(make_context())

    assert (said, states()) == ("1 sent", ["waiting", "sent"])
    [row] = scenes.rows("SELECT error FROM letters WHERE state = 'waiting'")
    assert row["error"].startswith("not written: UndefinedError")


def test_a_server_that_is_down_keeps_letters_and_the_job_says_so(make_context: MakeContext, post: MailServer) -> None:
    """And with the server back they arrive."""
    write()
    with pytest.raises(RuntimeError, match="1 letters wait"):
        jobs.send_letters(make_context(MAIL_URL=f"smtp://127.0.0.1:{free_port()}"))
    waiting = states()
    scenes.execute("UPDATE letters SET next_try_at = now()")

    jobs.send_letters(make_context())

    assert (waiting, states()) == (["waiting"], ["sent"])
    assert len(post.letters) == 1


def test_staff_see_for_two_days_that_letters_were_given_up(make_context: MakeContext) -> None:
    context = make_context()
    before = jobs.watch_letters(context)
    write()
    scenes.execute("UPDATE letters SET useful_until = now() + interval '20 seconds'")

    with pytest.raises(RuntimeError):
        jobs.send_letters(make_context(MAIL_URL=f"smtp://127.0.0.1:{free_port()}"))

    assert before == "0 sent in two days, 0 tried again"
    with pytest.raises(RuntimeError, match="1 letters given up"):
        jobs.watch_letters(context)


def test_a_letter_of_no_more_use_is_not_sent_and_staff_see_it(make_context: MakeContext, post: MailServer, logged: list[Any]) -> None:
    """As a link is that works no longer, when the worker was away or many letters were before it."""
    context = make_context()
    for recipient in ("late@example.com", "soon@example.com"):
        write(recipient=recipient)
    scenes.execute("UPDATE letters SET useful_until = now() WHERE recipient = 'late@example.com'")

    said = jobs.send_letters(context)

    assert (said, states()) == ("1 sent", ["given_up", "sent"])
    assert [letter["To"] for letter in post.letters] == ["soon@example.com"]
    assert [line["error"] for line in logged if line["event"] == "letter_given_up"] == ["of no more use before its turn came"]
    assert scenes.rows("SELECT sealed_token FROM letters WHERE sealed_token <> ''") == []
    with pytest.raises(RuntimeError, match="1 letters given up"):
        jobs.watch_letters(context)


def test_a_token_sealed_under_another_secret_is_refused_with_a_reason(make_context: MakeContext) -> None:
    write()

    jobs.send_letters(make_context(SECRET_KEY="t" * 40))

    assert scenes.rows("SELECT state, error FROM letters") == [
        {"state": "refused", "error": "its link was sealed under another SECRET_KEY"}
    ]


def test_no_log_has_a_link_and_outside_development_no_file_is_told_of_in_words(make_context: MakeContext, logged: list[Any]) -> None:
    """R37."""
    write()

    jobs.send_letters(make_context(MAIL_URL=""))

    assert {line["event"] for line in logged} == {"letter_written", "letter_sent"}
    assert "the-token" not in str(logged)
