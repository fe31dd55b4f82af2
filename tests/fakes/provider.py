"""A provider that vouches for people as its test says: an OpenID provider that can be made to lie, and GitHub's endpoints.

Over real HTTP. Checks what a strict provider checks (our secret, PKCE, each code once), so that a client which forgets
one of them fails. Sources: OpenID Connect Core 1.0 and Discovery 1.0; docs.github.com, "Authorizing OAuth apps" and "REST API, emails".
"""

import base64
import functools
import hashlib
import hmac
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from reseller.clock import unix_seconds

CLIENT_ID, CLIENT_SECRET = "reseller-in-tests", "secret-of-the-client"


@functools.cache
def key_named(name: str) -> RSAKey:
    """A key to sign with; the same for all fakes of a process, since making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": name})


class FakeProvider:
    """`claims` are put into ID tokens over the true ones, None takes one away; `answers` replaces what stands at a path."""

    def __init__(self) -> None:
        self.key = key_named("first")
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.token: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.emails: list[Any] = []
        self.user: dict[str, Any] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def vouch(self, url: str) -> str:
        """Where the provider sends the browser that was sent to `url`: back, with a code."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["state"]) >= 20
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Status, headers and body of the answer at this path."""
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, {}, self._described()
        if path == "/jwks":
            return 200, {}, {"keys": [self.key.as_dict(private=False)]}
        if path in ("/token", "/login/oauth/access_token"):
            return self._exchanged({name: values[0] for name, values in parse_qs(body.decode()).items()}, is_openid=path == "/token")
        found = {"/userinfo": self.userinfo, "/user": self.user, "/user/emails": self.emails}.get(path)
        return (404, {}, {}) if found is None else (200, {}, found)

    def _described(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
        } | self.metadata

    def _exchanged(self, form: dict[str, str], *, is_openid: bool) -> tuple[int, dict[str, str], Any]:
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = _base64(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).decode()
        if asked is None or challenge != asked["code_challenge"] or form.get("redirect_uri") != asked["redirect_uri"]:
            return (400 if is_openid else 200), {}, {"error": "invalid_grant"}
        token = {"access_token": "at", "token_type": "bearer"}
        if is_openid:
            token["id_token"] = self._signed(asked)
        return 200, {}, token | self.token

    def _signed(self, asked: dict[str, str]) -> str:
        true = {
            "iss": self.issuer,
            "sub": "ann",
            "aud": CLIENT_ID,
            "iat": unix_seconds(),
            "exp": unix_seconds() + 300,
            "nonce": asked["nonce"],
            "email": "ann@example.com",
            "email_verified": True,
            "name": "Ann",
        } | ({"auth_time": unix_seconds()} if "max_age" in asked else {})
        claims = {name: value for name, value in (true | self.claims).items() if value is not None}
        if self.algorithm in ("none", "HS256"):
            return self._forged(claims)
        return jwt.encode({"alg": self.algorithm, "kid": self.key.kid}, claims, self.key)

    def _forged(self, claims: dict[str, Any]) -> str:
        """Signed by nobody, or with the public key, which everybody knows."""
        signed = b".".join(map(_base64, (json.dumps({"alg": self.algorithm, "kid": "first"}).encode(), json.dumps(claims).encode())))
        signature = b"" if self.algorithm == "none" else hmac.digest(self.key.as_pem(private=False), signed, "sha256")
        return (signed + b"." + _base64(signature)).decode()


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _handler_of(fake: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            in_form = f"client_secret={CLIENT_SECRET}".encode() in body
            if self.headers["Authorization"] != basic and not in_form:
                self._send(401, {}, {"error": "invalid_client"})
            else:
                self._answer(body)

        def _answer(self, body: bytes) -> None:
            self._send(*fake.answer(urlsplit(self.path).path, body))

        def _send(self, status: int, headers: dict[str, str], value: Any) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # who asked has read enough
                self.close_connection = True

    return Handler


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
