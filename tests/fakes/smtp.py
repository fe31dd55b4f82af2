"""A mail server on this machine that keeps what it gets, and others that do not do as they should."""

import contextlib
import email
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers import free_port
from tests.waiting import wait_until

LINK = re.compile(r"https?://\S+/(?:verify|reset|address)/\S+")


class MailServer:
    """Listens on a free port. `answers`: recipient → what is said to RCPT instead of 250; `data_answer` likewise to the letter."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, is_implicit: bool = False, login: tuple[str, str] | None = None) -> None:
        self.letters: list[EmailMessage] = []
        self.was_encrypted: list[bool] = []
        self.answers: dict[str, str] = {}
        self.data_answer = "250 taken"
        self._login = login
        options: dict[str, Any] = {"auth_required": login is not None, "auth_require_tls": False, "authenticator": self._authenticate}
        if is_implicit:
            options["ssl_context"] = tls
        elif tls is not None:
            options["tls_context"] = tls
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, recipient: str, *, about: str = "") -> EmailMessage:
        """The newest letter to this address, once it is there; `about`: words of its subject."""
        return wait_until(
            lambda: next((one for one in reversed(self.letters) if one["To"] == recipient and about in one["Subject"]), None), 15
        )

    async def handle_RCPT(self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # noqa: N802 - aiosmtpd's names
        answer = self.answers.get(address, "250 ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data_answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.letters.append(email.message_from_bytes(envelope.content, policy=default))
            self.was_encrypted.append(session.ssl is not None)
        return self.data_answer

    def _authenticate(self, _server: Any, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
        is_right = isinstance(given, LoginPassword) and (given.login.decode(), given.password.decode()) == self._login
        return AuthResult(success=is_right, handled=False)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._controller.stop()


def link_in(letter: EmailMessage) -> str:
    """The link of a letter, the same in both of its forms."""
    plain, page = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert page is not None
    [link] = set(LINK.findall(plain.get_content()))
    assert f'href="{link}"' in page.get_content()
    return str(link)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server at 127.0.0.1 and localhost, and for clients that trust it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "mail.pem"
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)


@contextlib.contextmanager
def silent_server(*, greets: bytes = b"") -> Iterator[str]:
    """The address of a server that takes connections, perhaps greets, and says nothing more."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):  # closed below
            while True:
                taken.append(listener.accept()[0])
                taken[-1].sendall(greets)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for connection in (listener, *taken):
            connection.close()
