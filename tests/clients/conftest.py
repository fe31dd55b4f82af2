"""A fake OpenRouter per test, and upstreams that are impatient enough for tests."""

import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import gevent.ssl
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from reseller.clients.openrouter import OpenRouter
from reseller.clients.upstream import Upstream, UpstreamSettings, build
from reseller.clock import now
from tests.clients.raw_server import RawServer
from tests.fakes.openrouter import FakeOpenRouter

SAMPLES = Path(__file__).parent.parent / "samples" / "openrouter"
KEY = "sk-or-v1-never-seen-by-customers"


@pytest.fixture
def fake() -> Iterator[FakeOpenRouter]:
    with FakeOpenRouter(api_key=KEY) as running:
        yield running


@pytest.fixture
def settings(fake: FakeOpenRouter) -> UpstreamSettings:
    return impatient(fake.base_url)


@pytest.fixture
def upstream(settings: UpstreamSettings) -> Iterator[OpenRouter]:
    made = build("openrouter", "openrouter", settings)
    assert isinstance(made, OpenRouter)
    yield made
    made.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """Start servers that send exactly the bytes they are given."""
    running: list[RawServer] = []

    def start(*answers: bytes, **options: Any) -> RawServer:
        running.append(RawServer(answers, **options))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def impatient(base_url: str, **more: Any) -> UpstreamSettings:
    values = {"api_key": KEY, "connect_seconds": 2.0, "first_byte_seconds": 0.4, "idle_seconds": 0.4, "total_seconds": 20.0}
    return UpstreamSettings(base_url=base_url, title="Shop", referer="https://shop.example", **{**values, **more})


def body(model: str = "openai/gpt-4o-mini", **more: Any) -> bytes:
    return orjson.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}], **more})


def ask(upstream: Upstream, model: str, *, is_stream: bool = False, path: str = "/chat/completions") -> bytes:
    """The whole answer, read piece by piece as the relay does."""
    reply = upstream.send(path, body(model, stream=is_stream), is_stream=is_stream)
    try:
        return b"".join(iter(reply.read1, b""))
    finally:
        reply.close()


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for `localhost` and its key in one file, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now() - timedelta(days=1)).not_valid_after(now() + timedelta(days=1))
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + signed.public_bytes(Encoding.PEM)
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(pem)
    return path


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def client_tls(certificate: Path) -> Any:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate)
    return context
