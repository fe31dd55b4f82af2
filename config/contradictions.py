"""What settings must not say together, and what production must not go without (R40). One sentence for each."""

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from config.settings import Settings

STRIPES_OWN = "https://api.stripe.com"
LIVE_KEYS = ("sk_live_", "rk_live_")
"""How keys begin with which real money moves (docs.stripe.com/keys); the client takes every other one for test mode."""

WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105 - how one begins, none itself
MIN_WEBHOOK_SECRET_BYTES = 24

DEFAULT_SECRETS = frozenset({"", "change-me", "changeme", "secret", "dev", "development", "test"})


def problems_of(settings: "Settings") -> list[str]:
    """Every one of them at once."""
    problems = _stripe_problems(settings) + _mail_problems(settings) + _provider_problems(settings) + _fee_problems(settings)
    problems += _alarm_problems(settings)
    return problems + _production_problems(settings) if settings.is_production else problems


def _stripe_problems(settings: "Settings") -> list[str]:
    if settings.top_up_min_usd > settings.top_up_max_usd:
        return ["TOP_UP_MIN_USD is more than TOP_UP_MAX_USD"]
    if settings.stripe_secret_key.get_secret_value() and not settings.stripe_webhook_secret.get_secret_value():
        return ["STRIPE_WEBHOOK_SECRET is missing while STRIPE_SECRET_KEY is set: forged payments would be accepted"]
    return []


def _mail_problems(settings: "Settings") -> list[str]:
    if settings.mail_url.get_secret_value() and not settings.mail_from:
        return ["MAIL_FROM is missing while MAIL_URL is set: letters need a sender"]
    return []


def _alarm_problems(settings: "Settings") -> list[str]:
    if not settings.operator_alert_webhook:
        return []
    problems = []
    if not _signs_webhooks(settings.operator_alert_webhook_secret.get_secret_value()):
        problems.append(
            f"OPERATOR_ALERT_WEBHOOK_SECRET must be {WEBHOOK_SECRET_PREFIX} and the base64 of {MIN_WEBHOOK_SECRET_BYTES} bytes or more"
            ' while OPERATOR_ALERT_WEBHOOK is set, like the output of: echo "whsec_$(openssl rand -base64 32)"'
        )
    if urlsplit(settings.operator_alert_webhook).username is not None:
        problems.append("OPERATOR_ALERT_WEBHOOK has a name or password in it, which is not sent: the signature says who speaks")
    return problems


def _signs_webhooks(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True)
    except ValueError:
        return False
    return secret.startswith(WEBHOOK_SECRET_PREFIX) and len(key) >= MIN_WEBHOOK_SECRET_BYTES


def _fee_problems(settings: "Settings") -> list[str]:
    kept = settings.typical_top_up_usd * settings.card_fee_percent / 100 + settings.card_fee_fixed_usd
    return ["TYPICAL_TOP_UP_USD is no more than the card's fees on it"] if kept >= settings.typical_top_up_usd else []


def _provider_problems(settings: "Settings") -> list[str]:
    """One line for each sign-in provider that is named in part."""
    groups = (
        ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"),
        ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"),
        ("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"),
    )
    problems = []
    for group in groups:
        missing = [name for name in group if not _plain(getattr(settings, name.lower()))]
        if missing and len(missing) < len(group):
            problems.append(f"{', '.join(group)} belong together; missing: {', '.join(missing)}")
    return problems


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _production_problems(settings: "Settings") -> list[str]:
    problems = []
    secret = settings.secret_key.get_secret_value()
    if secret.lower() in DEFAULT_SECRETS:
        problems.append("SECRET_KEY is missing or a default: set a random one of 32 characters or more")
    elif len(secret) < 32:
        problems.append("SECRET_KEY is too short: use 32 characters or more")
    if not settings.database_url:
        problems.append("DATABASE_URL is missing: production needs a PostgreSQL of its own")
    if not settings.public_url:
        problems.append("PUBLIC_URL is missing: links in letters and pages need it")
    elif settings.public_url.startswith("http://"):
        problems.append("PUBLIC_URL is plain http: customers would send their keys in clear; use https")
    if settings.webhooks_allow_loopback:
        problems.append("WEBHOOKS_ALLOW_LOOPBACK is on: customers could reach what listens on this machine; leave it off")
    if any(len(older) < 32 for older in settings.secret_keys[1:]):
        problems.append("SECRET_KEY_PREVIOUS has a part of fewer than 32 characters: whoever guesses it reads and signs as if it were new")
    return problems + _pretended_money(settings)


def _pretended_money(settings: "Settings") -> list[str]:
    """How somebody could get real credit without paying: with a test card, or from whoever answers in Stripe's place."""
    problems = []
    key = settings.stripe_secret_key.get_secret_value()
    if key and not key.startswith(LIVE_KEYS) and not settings.stripe_allow_test_key:
        problems.append(
            "STRIPE_SECRET_KEY is no live key: test cards would buy real credit; set STRIPE_ALLOW_TEST_KEY=true if that is meant"
        )
    if settings.stripe_api_base not in ("", STRIPES_OWN):
        problems.append("STRIPE_API_BASE is not Stripe's address: whoever answers there could say that anything is paid; leave it empty")
    return problems
