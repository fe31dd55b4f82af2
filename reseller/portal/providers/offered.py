"""Which providers this deployment offers, and which of them a person uses."""

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from flask import abort, current_app, url_for

from config import Settings
from reseller.clients.providers import GITHUB, GOOGLE_ISSUER, Client, GitHub, GitHubAddresses, OpenId, Provider
from reseller.domain.identity import linked
from reseller.domain.identity.linked import Linked
from reseller.portal.sign_in.onwards import wanted

OPENINGS = ("sign in with ", "log in with ", "continue with ", "sign in through ")


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider as people see it."""

    name: str  # in addresses
    label: str  # in sentences
    words: str  # on the button
    provider: Provider


class Offered(dict[str, Choice]):
    """The providers of one deployment by name, in the order of their buttons."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way of a person to sign in through a provider: `label` is the provider, `identity.label` the person there."""

    label: str
    identity: Linked
    choice: Choice | None  # None: this deployment does not offer the provider any more


@dataclass(frozen=True, slots=True)
class Methods:
    """What a person signs in through, and what they could link besides."""

    linked: tuple[Method, ...]
    others: tuple[Choice, ...]


def configured(settings: Settings, *, google_issuer: str = GOOGLE_ISSUER, github: GitHubAddresses = GITHUB) -> Offered:
    """The providers that the settings name. Asks none of them anything."""
    found = Offered()
    if settings.google_client_id:
        client = Client(settings.google_client_id, settings.google_client_secret.get_secret_value())
        # Google knows no prompt=login; choosing the account is as near as it comes.
        found["google"] = _choice("google", "Google", OpenId(google_issuer, client, again="select_account"))
    if settings.github_client_id:
        client = Client(settings.github_client_id, settings.github_client_secret.get_secret_value())
        found["github"] = _choice("github", "GitHub", GitHub(client, github))
    if settings.oidc_issuer:
        client = Client(settings.oidc_client_id, settings.oidc_client_secret.get_secret_value())
        found["oidc"] = _named(settings.oidc_label or urlsplit(settings.oidc_issuer).netloc, OpenId(settings.oidc_issuer, client))
    return found


def _choice(name: str, label: str, provider: Provider) -> Choice:
    return Choice(name, label, f"Continue with {label}", provider)


def _named(words: str, provider: Provider) -> Choice:
    """The provider that the operator names: "Acme", or the whole words "Sign in with Acme"."""
    opening = next((opening for opening in OPENINGS if words.lower().startswith(opening)), "")
    label = words[len(opening) :]
    return Choice("oidc", label, words if opening else f"Continue with {label}", provider)


def buttons() -> list[tuple[str, str]]:
    """Words and address of each button of a sign-in page; where `next` of that page leads, they lead, too."""
    return [(choice.words, url_for("providers.enter", provider=choice.name, next=wanted("") or None)) for choice in offered().values()]


def offered() -> Offered:
    """The providers of this app."""
    found = current_app.extensions[Offered.__name__]
    assert isinstance(found, Offered)
    return found


def chosen(name: str) -> Choice:
    """The provider of this name; 404 if there is none."""
    choice = offered().get(name)
    if choice is None:
        abort(404)
    return choice


def methods_of(user_id: UUID) -> Methods:
    """What the person signs in through, and the providers here that they do not use yet."""
    mine = linked.identities_of(user_id)
    here = {choice.provider.issuer: choice for choice in offered().values()}
    used = {identity.issuer.rstrip("/"): identity for identity in mine}
    return Methods(
        tuple(_method(identity, here.get(identity.issuer.rstrip("/"))) for identity in mine),
        tuple(choice for issuer, choice in here.items() if issuer not in used),
    )


def _method(identity: Linked, choice: Choice | None) -> Method:
    return Method(choice.label if choice else urlsplit(identity.issuer).netloc, identity, choice)
