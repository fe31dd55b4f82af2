"""Letters leave the house: by SMTP, or into files where no mail server is set.

What can go wrong is told apart by what to do about it: `ServerFailed` (every letter waits), `LetterDelayed` (this one waits)
and `LetterRefused` (this one never arrives). Nothing here decides who gets a letter, or when it is tried again.
"""

import contextlib
import os
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import structlog

from reseller.addresses import is_loopback

TIMEOUT_SECONDS = 10.0
"""For connecting, and for each answer of the server."""

DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
PERMANENT = range(500, 600)

log = structlog.get_logger()


class ServerFailed(Exception):
    """The mail server was not reached, does not want us, or broke off."""


class LetterDelayed(Exception):
    """The server does not take this letter now."""


class LetterRefused(Exception):
    """The server will never take this letter: there is no such mailbox, or it wants nothing from us."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A letter with its words. Its id becomes the Message-ID, so that one sent twice shows as one."""

    id: str
    recipient: str
    subject: str
    text: str
    html: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Sender:
    """Under which name and address letters go out, and where answers go; "" for nowhere else."""

    name: str
    address: str
    reply_to: str = ""


Send = Callable[[EmailMessage], None]


class Mailer(Protocol):
    """Where letters go."""

    def connected(self) -> AbstractContextManager[Send]:
        """A way to send letters, one after another. Raises ServerFailed; sending raises all three."""
        ...


def compose(letter: Outgoing, sender: Sender) -> EmailMessage:
    """The letter as it travels. Raises LetterRefused for what cannot stand in a header, such as a line break."""
    message = EmailMessage()
    try:
        message["From"] = Address(sender.name, addr_spec=ascii_domain(sender.address))
        message["To"] = ascii_domain(letter.recipient)
        if sender.reply_to:
            message["Reply-To"] = ascii_domain(sender.reply_to)
        message["Subject"] = letter.subject
    except (ValueError, IndexError) as error:  # IndexError: how the library's parser takes some addresses that are none
        raise LetterRefused(f"cannot be written: {error}") from None
    message["Date"] = format_datetime(letter.written_at)
    message["Message-ID"] = f"<{letter.id}@{ascii_domain(sender.address).rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # no out-of-office answers
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


def ascii_domain(address: str) -> str:
    """The address with its domain as the DNS has it. Raises ValueError for a domain that is none."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain if domain.isascii() else domain.encode('idna').decode()}"


class SmtpServer:
    """A mail server, `smtp://user:password@host:587` or `smtps://…`. Encrypted if it offers that; a password never goes in clear."""

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._is_tls = parts.hostname or "", parts.scheme == "smtps"
        self._port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._timeout_seconds = timeout_seconds
        self._tls = tls or ssl.create_default_context()

    @contextlib.contextmanager
    def connected(self) -> Iterator[Send]:
        try:
            server = self._open()
        except (OSError, smtplib.SMTPException) as error:
            raise ServerFailed(_words(error)) from None
        try:
            yield lambda message: _send(server, message)
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _open(self) -> smtplib.SMTP:
        if self._is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout_seconds, context=self._tls)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout_seconds)
        try:
            self._introduce(server)
        except BaseException:
            server.close()
            raise
        return server

    def _introduce(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        is_encrypted = self._is_tls
        if not is_encrypted and server.has_extn("starttls"):
            server.starttls(context=self._tls)
            server.ehlo()
            is_encrypted = True
        if not self._user:
            return
        is_here = self._host == "localhost" or is_loopback(self._host)
        if not is_encrypted and not is_here:
            raise smtplib.SMTPException("it offers no encryption, and a password does not go in clear")
        server.login(self._user, self._password)


class Folder:
    """Letters become files that a mail program opens. For development, and until a mail server is set."""

    def __init__(self, path: Path, *, tells_all: bool) -> None:
        """`tells_all`: the log has the words of each letter, links included. In development alone."""
        self._path = path
        self._tells_all = tells_all

    @contextlib.contextmanager
    def connected(self) -> Iterator[Send]:
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ServerFailed(_words(error)) from None
        yield self._write

    def _write(self, message: EmailMessage) -> None:
        path = self._path / f"{str(message['Message-ID']).strip('<>').partition('@')[0]}.eml"
        draft = path.with_suffix(".draft")
        try:
            with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(_to_read(message).as_bytes())
            draft.replace(path)
        except OSError as error:
            raise ServerFailed(_words(error)) from None
        words = message.get_body(("plain",))
        told = {"letter": words.get_content()} if self._tells_all and words is not None else {}
        log.info("letter_written", to=str(message["To"]), subject=str(message["Subject"]), file=str(path), **told)


def _to_read(message: EmailMessage) -> EmailMessage:
    """The same letter with its words as they are: no line of it is cut and marked, which would cut a link copied out of the file."""
    letter = deepcopy(message)
    for part in letter.walk():
        if isinstance(part, EmailMessage) and part.get_content_maintype() == "text":
            part.set_content(part.get_content(), subtype=part.get_content_subtype(), cte="8bit")
    return letter


def _send(server: smtplib.SMTP, message: EmailMessage) -> None:
    try:
        server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        [(code, said)] = error.recipients.values()
        raise (LetterRefused if code in PERMANENT else LetterDelayed)(_said(code, said)) from None
    except smtplib.SMTPDataError as error:
        raise (LetterRefused if error.smtp_code in PERMANENT else LetterDelayed)(_words(error)) from None
    except smtplib.SMTPNotSupportedError as error:  # an address outside ASCII, at a server that knows none
        raise LetterRefused(_words(error)) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ServerFailed(_words(error)) from None


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error)
    return f"{type(error).__name__}: {error}"


def _said(code: int, said: bytes | str) -> str:
    words = said.decode(errors="replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(words.split())}"[:300]
