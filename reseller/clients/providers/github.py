"""GitHub: OAuth 2 with PKCE, no OpenID. Who somebody is says its API; an account there keeps its number when it is renamed."""

from dataclasses import dataclass
from typing import Any

from authlib.common.security import generate_token

from reseller.clients.providers.contract import Journey, NotVouched, Proof, proof
from reseller.clients.providers.openid import Client
from reseller.clients.providers.wire import Wire, conversation, document, listing

ISSUER = "https://github.com"


@dataclass(frozen=True, slots=True)
class GitHubAddresses:
    """Where GitHub is."""

    site: str
    api: str


GITHUB = GitHubAddresses("https://github.com", "https://api.github.com")


class GitHub:
    """GitHub, or what stands at these addresses instead."""

    def __init__(self, client: Client, addresses: GitHubAddresses = GITHUB) -> None:
        self._client = client
        self._addresses = addresses

    @property
    def issuer(self) -> str:
        return ISSUER

    def begin(self, redirect_uri: str, *, again: bool = False) -> tuple[str, Journey]:
        """Where to send the browser."""
        verifier = generate_token(48)
        with self._wire(redirect_uri) as wire:
            asked = {"prompt": "select_account"} if again else {}
            url, state = wire.create_authorization_url(f"{self._addresses.site}/login/oauth/authorize", code_verifier=verifier, **asked)
        return url, Journey(state, "", verifier)

    def finish(self, journey: Journey, code: str, redirect_uri: str, *, again: bool = False) -> Proof:  # noqa: ARG002
        """Who came back with this code. GitHub does not say when it asked somebody."""
        with conversation(ISSUER), self._wire(redirect_uri) as wire:
            wire.fetch_token(f"{self._addresses.site}/login/oauth/access_token", code=code, code_verifier=journey.verifier)
            user = document(wire.get(f"{self._addresses.api}/user"))
            emails = listing(wire.get(f"{self._addresses.api}/user/emails"))
        number = user.get("id")
        if not isinstance(number, int) or isinstance(number, bool):
            raise NotVouched("GitHub names nobody")
        email, is_verified = _best_of(emails)
        return proof(issuer=ISSUER, subject=str(number), email=email, is_email_verified=is_verified, name=user.get("name"))

    def _wire(self, redirect_uri: str) -> Wire:
        client = self._client
        return Wire(client.id, client.secret, scope="read:user user:email", redirect_uri=redirect_uri, code_challenge_method="S256")


def _best_of(emails: list[Any]) -> tuple[object, bool]:
    """The address to know somebody by: their primary one if it is verified, else another that is, else the primary one."""
    known = [entry for entry in emails if isinstance(entry, dict)]
    primary = [entry for entry in known if entry.get("primary") is True]
    verified = [entry for entry in known if entry.get("verified") is True]
    both = [entry for entry in primary if entry in verified]
    best = next(iter(both or verified or primary), {})
    return best.get("email"), best.get("verified") is True
