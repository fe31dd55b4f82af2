"""Any OpenID provider, found by discovery: code flow with state, nonce and PKCE; the ID token checked by Authlib."""

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from authlib.integrations.base_client.sync_app import BaseApp, OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin

from reseller.clients.providers.contract import Down, Journey, NotAsked, NotVouched, Proof, proof
from reseller.clients.providers.wire import Wire, conversation, document
from reseller.clock import monotonic, unix_seconds

GOOGLE_ISSUER = "https://accounts.google.com"
SCOPE = "openid email profile"
LOGIN = "login"
"""The `prompt` for showing anew who one is; with it goes `max_age`, so that the provider says when it asked."""
ASKED_SECONDS, CLOCK_SECONDS = 300, 60
"""How long ago a provider that shall ask again may have asked, and how far its clock may be ahead of ours."""
KNOWN_SECONDS = 3600.0
"""How long what a provider says of itself is taken for true. A key that we do not know is asked for at once."""
DOWN_SECONDS, PATIENCE_SECONDS = 3.0, 2.0
"""How long a provider that did not answer is not asked again, and how long one person waits while it is asked for another:
a provider that hangs must not keep a place of ours for each click on its button."""
SIGNED_BY = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""What a key in public can verify; never "none", never a shared secret."""
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Client:
    """We, as the provider knows us."""

    id: str
    secret: str = field(repr=False)


class _App(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]
    """Authlib's client without its hold on Flask's session: what has to be kept is the caller's."""

    client_cls = Wire


class OpenId:
    """The provider of this issuer. Nothing is asked of it before somebody wants to sign in."""

    def __init__(self, issuer: str, client: Client, *, again: str = LOGIN) -> None:
        """`again`: the `prompt` by which it asks even somebody whom it knows."""
        self._issuer = issuer.rstrip("/")
        self._client = client
        self._again = again
        self._known: _App | None = None
        self._known_until = 0.0
        self._down_until = 0.0
        self._asking = Lock()

    @property
    def issuer(self) -> str:
        return self._issuer

    def begin(self, redirect_uri: str, *, again: bool = False) -> tuple[str, Journey]:
        """Where to send the browser."""
        wishes = {"prompt": self._again} | ({"max_age": "0"} if self._again == LOGIN else {})
        with conversation(self._issuer):
            asked = self._app().create_authorization_url(redirect_uri, **(wishes if again else {}))
            return asked["url"], Journey(asked["state"], asked["nonce"], asked["code_verifier"])

    def finish(self, journey: Journey, code: str, redirect_uri: str, *, again: bool = False) -> Proof:
        """Who came back with this code.

        `again`: a token whose `auth_time` says that nobody was asked on this journey raises NotAsked. OpenID Connect Core 1.0
        demands the claim where `max_age` was sent (sections 2 and 3.1.2.1); Google and others never send it, so a token
        without it is taken all the same.
        """
        with conversation(self._issuer):
            app = self._app()
            token = app.fetch_access_token(redirect_uri, code=code, code_verifier=journey.verifier)
            issuer = app.server_metadata["issuer"]
            claims = app.parse_id_token(token, journey.nonce, claims_options=self._demands(issuer))
            if claims is None:
                raise NotVouched("the answer has no ID token")
            if again and self._again == LOGIN and "auth_time" in claims:
                _check_asked(claims["auth_time"])
            said = claims if "email" in claims else self._looked_up(app, token, claims)
            return proof(
                issuer=issuer,
                subject=claims["sub"],
                email=said.get("email"),
                is_email_verified=said.get("email_verified"),
                name=said.get("name"),
            )

    def _demands(self, issuer: str) -> dict[str, dict[str, Any]]:
        return {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": self._client.id}}

    def _looked_up(self, app: _App, token: dict[str, Any], claims: dict[str, Any]) -> dict[str, Any]:
        """What the provider says of the person where it keeps that out of the token."""
        address = app.server_metadata.get("userinfo_endpoint")
        if not address:
            return claims
        said = document(app.get(address, token=token))
        if said.get("sub") != claims["sub"]:
            raise NotVouched("the provider speaks of somebody else than its token")
        return said

    def _app(self) -> _App:
        """Authlib's client, with what the provider said of itself within KNOWN_SECONDS. Raises Down."""
        if self._known is not None and monotonic() < self._known_until:
            return self._known
        if not self._asking.acquire(timeout=PATIENCE_SECONDS):
            raise Down(f"{self._issuer} has been asked and does not answer")
        try:
            return self._asked()
        finally:
            self._asking.release()

    def _asked(self) -> _App:
        if self._known is not None and monotonic() < self._known_until:  # by whoever asked before
            return self._known
        if monotonic() < self._down_until:
            raise Down(f"{self._issuer} did not answer just now")
        try:
            self._known = self._discovered()
        except Exception:
            self._down_until = monotonic() + DOWN_SECONDS
            raise
        self._known_until = monotonic() + KNOWN_SECONDS
        return self._known

    def _discovered(self) -> _App:
        with Wire() as wire:
            said = document(wire.get(f"{self._issuer}/.well-known/openid-configuration", withhold_token=True))
        issuer = said.get("issuer")
        if not isinstance(issuer, str) or issuer.rstrip("/") != self._issuer:
            raise Down(f"who answers at {self._issuer} calls itself {issuer!r}")
        facts = {name: said.get(name) for name in (*_ENDPOINTS, "userinfo_endpoint")}
        for name, address in facts.items():
            if address is None and name not in _ENDPOINTS:
                continue
            if not isinstance(address, str) or not address.startswith("https://" if issuer.startswith("https://") else "http"):
                raise Down(f"{self._issuer} has no safe {name}")
        made = _App(
            None,
            client_id=self._client.id,
            client_secret=self._client.secret,
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", "token_endpoint_auth_method": _authenticates_by(said)},
        )
        made.server_metadata = {**facts, "issuer": issuer, "id_token_signing_alg_values_supported": _signed_by(said)}
        return made


def _check_asked(auth_time: object) -> None:
    """Raises NotAsked if that was too long ago, NotVouched if it is no instant that has been."""
    if not isinstance(auth_time, int) or isinstance(auth_time, bool) or auth_time > unix_seconds() + CLOCK_SECONDS:
        raise NotVouched(f"the provider asked at {auth_time!r}"[:100])
    if auth_time < unix_seconds() - ASKED_SECONDS:
        raise NotAsked(f"the provider asked {unix_seconds() - auth_time} seconds ago"[:100])


def _authenticates_by(said: dict[str, Any]) -> str:
    """How we show our secret: by header, unless the provider takes it in the form alone."""
    methods = said.get("token_endpoint_auth_methods_supported") or []
    return "client_secret_post" if "client_secret_post" in methods and "client_secret_basic" not in methods else "client_secret_basic"


def _signed_by(said: dict[str, Any]) -> list[str]:
    return sorted(SIGNED_BY.intersection(said.get("id_token_signing_alg_values_supported") or ["RS256"]))
