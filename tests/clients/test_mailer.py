"""Letters by SMTP, against servers that do what they should and servers that do not; and into files."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from reseller.clients.mailer import Folder, LetterDelayed, LetterRefused, Outgoing, Sender, ServerFailed, SmtpServer, compose
from tests.fakes.smtp import MailServer, certificate, silent_server
from tests.servers import free_port

LETTER = Outgoing(
    id="0190",
    recipient="ann@example.com",
    subject="Hello",
    text="Plain words.\n",
    html="<p>Plain words.</p>",
    written_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)
SENDER = Sender("Acme", "shop@acme.example", "help@acme.example")
IMPATIENT = 0.3


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


def send(url: str, *letters: EmailMessage, **options: Any) -> None:
    with SmtpServer(url, **options).connected() as send_one:
        for letter in letters or (compose(LETTER, SENDER),):
            send_one(letter)


def test_a_letter_arrives_with_all_that_a_letter_needs(server: MailServer) -> None:
    send(server.url)

    [letter] = server.letters
    assert str(letter["From"]) == "Acme <shop@acme.example>"
    assert (letter["To"], letter["Reply-To"], letter["Subject"]) == ("ann@example.com", "help@acme.example", "Hello")
    assert (letter["Message-ID"], letter["Date"]) == ("<0190@acme.example>", "Fri, 02 Jan 2026 03:04:05 +0000")
    assert letter["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]


def test_a_name_of_any_letters_is_a_name_and_no_more(server: MailServer) -> None:
    send(server.url, compose(LETTER, replace(SENDER, name='Łódź, "Öl" <x@evil.example>')))

    assert [address.addr_spec for address in server.letters[0]["From"].addresses] == ["shop@acme.example"]


@pytest.mark.parametrize("field", ["recipient", "subject"])
@pytest.mark.parametrize("break_", ["\n", "\r\n", "\r"])
def test_no_line_break_gets_into_a_header(field: str, break_: str) -> None:
    """Header injection: a further recipient, a body of somebody else's."""
    letter = replace(LETTER, **{field: f"ann@example.com{break_}Bcc: all@example.com"})

    with pytest.raises(LetterRefused):
        compose(letter, SENDER)


def test_a_domain_outside_ascii_travels_as_the_dns_has_it() -> None:
    assert compose(replace(LETTER, recipient="ann@bücher.example"), SENDER)["To"] == "ann@xn--bcher-kva.example"


def test_several_letters_share_a_connection(server: MailServer) -> None:
    send(server.url, *(compose(replace(LETTER, id=str(number)), SENDER) for number in range(3)))

    assert len(server.letters) == 3


def test_what_is_offered_is_encrypted(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, ours = tls
    with MailServer(tls=theirs) as server:
        send(f"smtp://localhost:{server.port}", tls=ours)

        assert server.was_encrypted == [True]


def test_smtps_is_encrypted_from_the_first_byte(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, ours = tls
    with MailServer(tls=theirs, is_implicit=True) as server:
        send(f"smtps://localhost:{server.port}", tls=ours)  # the server knows no other way

        assert len(server.letters) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_nobody_vouches_for_is_not_believed(tls: tuple[ssl.SSLContext, ssl.SSLContext], host: str) -> None:
    """Neither without a known authority, nor for another name."""
    theirs, ours = tls
    trusted = {} if host == "localhost" else {"tls": ours}
    with MailServer(tls=theirs) as server:
        with pytest.raises(ServerFailed, match="CERTIFICATE_VERIFY_FAILED"):
            send(f"smtp://{host}:{server.port}", **trusted)

        assert server.letters == []


def test_a_password_opens_the_server_and_a_wrong_one_waits() -> None:
    with MailServer(login=("shop", "p@ss")) as server:
        send(f"smtp://shop:p%40ss@127.0.0.1:{server.port}")
        with pytest.raises(ServerFailed, match="535"):
            send(f"smtp://shop:wrong@127.0.0.1:{server.port}")

        assert len(server.letters) == 1


def test_a_password_does_not_go_in_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody on the way may have struck the offer of encryption out."""
    monkeypatch.setattr("reseller.clients.mailer.is_loopback", lambda _: False)
    with MailServer(login=("shop", "secret")) as server:
        with pytest.raises(ServerFailed, match="no encryption"):
            send(f"smtp://shop:secret@127.0.0.1:{server.port}")

        assert server.letters == []


@pytest.mark.parametrize(
    ("answer", "failure"),
    [("550 no such mailbox", LetterRefused), ("552 full for ever", LetterRefused), ("450 come back later", LetterDelayed)],
)
def test_a_bad_recipient_is_told_apart_from_one_for_later_and_the_next_letter_arrives(
    server: MailServer, answer: str, failure: type[Exception]
) -> None:
    server.answers["nobody@example.com"] = answer
    with SmtpServer(server.url).connected() as send_one:
        with pytest.raises(failure, match=answer[:3]):
            send_one(compose(replace(LETTER, recipient="nobody@example.com"), SENDER))
        send_one(compose(LETTER, SENDER))

    assert [letter["To"] for letter in server.letters] == ["ann@example.com"]


@pytest.mark.parametrize(("answer", "failure"), [("554 spam", LetterRefused), ("451 busy", LetterDelayed)])
def test_a_letter_that_is_not_taken_after_all_is_told_apart_too(server: MailServer, answer: str, failure: type[Exception]) -> None:
    server.data_answer = answer

    with pytest.raises(failure):
        send(server.url)


@pytest.mark.parametrize("greets", [b"", b"220 hello\r\n"])
def test_a_server_that_hangs_is_given_up(greets: bytes) -> None:
    with silent_server(greets=greets) as url, pytest.raises(ServerFailed, match="timed out"):
        send(url, timeout_seconds=IMPATIENT)


@pytest.mark.parametrize("greets", [b"554 go away\r\n", b"\x00\xff garbage\r\n"])
def test_a_server_that_does_not_want_us_is_given_up(greets: bytes) -> None:
    with silent_server(greets=greets) as url, pytest.raises(ServerFailed):
        send(url, timeout_seconds=IMPATIENT)


def test_nobody_there_is_a_failure_of_the_server() -> None:
    with pytest.raises(ServerFailed, match="refused"):
        send(f"smtp://127.0.0.1:{free_port()}")


def test_without_a_server_letters_are_files_for_their_owner_alone(tmp_path: Path, logged: list[Any]) -> None:
    with Folder(tmp_path / "mail", tells_all=False).connected() as send_one:
        send_one(compose(LETTER, SENDER))
        send_one(compose(LETTER, SENDER))  # the same letter again is the same file

    [path] = (tmp_path / "mail").iterdir()
    assert message_from_bytes(path.read_bytes(), policy=default)["Subject"] == "Hello"
    assert path.stat().st_mode & 0o077 == 0
    assert [line["event"] for line in logged] == ["letter_written"] * 2
    assert "Plain words" not in str(logged)


def test_in_development_the_log_has_the_words_too(tmp_path: Path, logged: list[Any]) -> None:
    with Folder(tmp_path, tells_all=True).connected() as send_one:
        send_one(compose(LETTER, SENDER))

    assert "Plain words" in str(logged)


def test_a_folder_that_cannot_be_made_is_a_failure_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")

    with pytest.raises(ServerFailed), Folder(tmp_path / "mail", tells_all=False).connected():
        pass


def test_a_link_in_a_file_can_be_copied_whole(tmp_path: Path) -> None:
    link = f"https://shop.example/verify/{'a' * 90}=é"
    letter = replace(LETTER, text=f"Open\n{link}\n", html=f'<p><a href="{link}">Open</a></p>')

    with Folder(tmp_path, tells_all=False).connected() as send_one:
        send_one(compose(letter, SENDER))

    [path] = tmp_path.iterdir()
    assert path.read_text().count(link) == 2
    read = message_from_bytes(path.read_bytes(), policy=default)
    assert link in read.get_body(("plain",)).get_content()
