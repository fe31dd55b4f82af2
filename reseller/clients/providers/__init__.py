"""Providers who vouch for people: any OpenID provider, Google, GitHub. Speaks OAuth 2 through Authlib, and knows no person of ours."""

from reseller.clients.providers.contract import Down, Journey, NotAsked, NotVouched, Proof, Provider
from reseller.clients.providers.github import GITHUB, GitHub, GitHubAddresses
from reseller.clients.providers.openid import GOOGLE_ISSUER, Client, OpenId

__all__ = [
    "GITHUB",
    "GOOGLE_ISSUER",
    "Client",
    "Down",
    "GitHub",
    "GitHubAddresses",
    "Journey",
    "NotAsked",
    "NotVouched",
    "OpenId",
    "Proof",
    "Provider",
]
