"""Every knob, one a line, unit in its name, and what it may be. `reading` takes them from the environment.

Nothing of `reseller` is imported here.
"""

import re
from decimal import Decimal
from email.errors import HeaderParseError
from email.headerregistry import Address
from functools import cached_property
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from config import brand as branding
from config.brand import Brand, LegalLink
from config.contradictions import problems_of

OUR_PREFIXES = (
    "RESELLER_", "SECRET_KEY_", "OPENROUTER_", "STRIPE_", "OIDC_", "GOOGLE_CLIENT_", "GITHUB_CLIENT_",
    "MAIL_", "METRICS_", "BRAND_", "CREDIT_CAP_", "DRAIN_", "MAX_BODY_", "TRUSTED_",
    "OPERATOR_ALERT_", "BACKUP_", "TRIAL_", "CARD_FEE_", "UPSTREAM_FEE_", "UPSTREAM_BALANCE_LOW_", "CALL_DETAILS_", "TYPICAL_TOP_UP_",
    "TOP_UP_", "WEBHOOKS_", "SENTRY_", "TRACES_",
)  # fmt: skip
"""A variable that starts like one of ours but is none of ours is a spelling mistake."""

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"(?:[!-~\xa0-\xff][ -~\xa0-\xff]*)?")


def headers_of(text: str) -> list[tuple[str, str]]:
    """`name=value,name=value` with percent escapes in the values, as opentelemetry.io/docs/specs/otel/protocol/exporter has it.

    What has no `=` is a name without a value, and no name that a header could have.
    """
    parts = (each.partition("=") for each in text.split(",") if each.strip())
    return [(name.strip() if equals else "", unquote(value.strip())) for name, equals, value in parts]


class Settings(BaseModel):
    """What a deployment may choose. Field names are the lower-case names of the variables."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    reseller_env: Literal["development", "testing", "production"] = Field(
        "production", description="which checks apply; `make run` sets development"
    )
    database_url: str = Field("", description="PostgreSQL 15 or newer; empty starts a private one in instance/ (not in production)")
    database_read_url: str = Field("", description="a streaming replica that reports may read, as the same role; empty: the first one")
    secret_key: SecretStr = Field(SecretStr(""), description="signs sessions and links; keep it secret and stable")
    secret_key_previous: SecretStr = Field(SecretStr(""), description="older ones, with commas: still read, never written with")
    public_url: str = Field("", description="the address customers use; the only source of absolute links")
    port: int = Field(8000, ge=1, le=65535, description="where the web process listens")
    web_concurrency: int = Field(1, ge=1, le=64, description="web processes; one per core is right")
    instance_path: str = Field("instance", validation_alias="RESELLER_INSTANCE", description="folder for private files of development")
    trusted_proxies: int = Field(0, ge=0, le=10, description="how many reverse proxies may be believed in X-Forwarded-For")

    openrouter_api_key: SecretStr = Field(SecretStr(""), description="the upstream's key; empty leaves the sandbox upstream only")
    openrouter_base_url: str = Field("https://openrouter.ai/api/v1", description="the upstream's base URL")
    openrouter_management_key: SecretStr = Field(
        SecretStr(""), description="reads the upstream's credit and what it billed; empty leaves both unwatched"
    )
    upstream_balance_low_usd: Decimal = Field(
        Decimal(20), ge=0, le=1_000_000, description="alarm when the upstream's credit is below; 0: never"
    )
    upstream_balance_low_days: int = Field(3, ge=0, le=365, description="alarm when it lasts for fewer days at the present pace; 0: never")

    stripe_secret_key: SecretStr = Field(SecretStr(""), description="empty switches buying off")
    stripe_webhook_secret: SecretStr = Field(SecretStr(""), description="required when Stripe is on")
    stripe_webhook_secret_previous: SecretStr = Field(SecretStr(""), description="another one that is believed while it is replaced")
    stripe_api_base: str = Field("", description="another address for Stripe's API, for tests; refused in production")
    stripe_allow_test_key: bool = Field(
        False, description="let production sell with a key of Stripe's test mode: free credit for test cards"
    )

    stripe_automatic_tax: bool = Field(False, description="let Stripe add tax on top of what is credited")
    stripe_collects_tax_id: bool = Field(False, description="ask business customers for their tax id when they pay")
    stripe_creates_invoices: bool = Field(False, description="let Stripe write an invoice for each payment")
    top_up_min_usd: Decimal = Field(Decimal(5), gt=0, le=100_000, decimal_places=2, description="the least that one payment buys")
    top_up_max_usd: Decimal = Field(Decimal(1_000), gt=0, le=100_000, decimal_places=2, description="the most that one payment buys")

    oidc_issuer: str = Field("", description="any OpenID provider")
    oidc_client_id: str = Field("", description="our name at that provider")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="our secret at that provider")
    oidc_label: str = Field("", description="the words on the sign-in button")
    google_client_id: str = Field("", description="sign in with Google")
    google_client_secret: SecretStr = Field(SecretStr(""), description="sign in with Google")
    github_client_id: str = Field("", description="sign in with GitHub")
    github_client_secret: SecretStr = Field(SecretStr(""), description="sign in with GitHub")

    mail_url: SecretStr = Field(SecretStr(""), description="smtp://user:pass@host:587; empty writes letters to instance/mail/")
    mail_from: str = Field("", description="address that letters come from; required with MAIL_URL")
    operator_alert_emails: str = Field("", description="addresses, with commas between, that hear of alarms")
    operator_alert_webhook: str = Field("", description="address that is posted alarms; it may be in a private network")
    operator_alert_webhook_secret: SecretStr = Field(
        SecretStr(""), description="signs them: whsec_ and base64 of 24 bytes or more; required with the address"
    )
    metrics_token: SecretStr = Field(SecretStr(""), description="bearer token for /metrics; empty answers only loopback")
    metrics_token_previous: SecretStr = Field(SecretStr(""), description="another one that is let in while it is replaced")
    sentry_dsn: SecretStr = Field(SecretStr(""), description="where errors are reported, https://key@host/project; empty: nowhere")
    sentry_environment: str = Field("", description="the environment that reports name; empty: RESELLER_ENV")
    sentry_release: str = Field("", description="the release that reports name")
    otel_exporter_otlp_endpoint: str = Field("", description="a collector that is told traces, OTLP over HTTP as JSON; empty: none is")
    otel_exporter_otlp_headers: SecretStr = Field(SecretStr(""), description="headers for it, name=value with commas between")
    otel_service_name: str = Field("reseller", description="the service that traces name")
    traces_percent: Decimal = Field(Decimal(100), ge=0, le=100, description="of a hundred paid calls, how many have their trace told")
    backup_journal: str = Field("", description="a file that tells what was stopped since a backup; `log` tells it to the log")
    brand_name: str = Field("Reseller", description="the name customers see")
    brand_support_email: str = Field("", description="where customers find help")
    brand_top_up_url: str = Field("", description="where customers buy credit; default PUBLIC_URL/billing")
    brand_logo: str = Field("", description="file of the sign beside the name: SVG, PNG, JPEG or WebP")
    brand_color: str = Field("", description="accent of pages, like #3452d0")
    brand_terms_url: str = Field("", description="the terms of service, in the foot of every page")
    brand_privacy_url: str = Field("", description="the privacy notice, likewise")
    brand_imprint_url: str = Field("", description="who runs the shop, likewise")
    brand_letters_dir: str = Field("", description="folder with texts of letters instead of ours")

    credit_cap_support_usd: Decimal = Field(
        Decimal(50), ge=0, le=1_000_000, description="credit that one of support may adjust in a day alone"
    )
    credit_cap_finance_usd: Decimal = Field(Decimal(500), ge=0, le=1_000_000, description="the same for one of finance")
    credit_cap_admin_usd: Decimal = Field(
        Decimal(2000), ge=0, le=1_000_000, description="the same for an admin; above a cap somebody else approves"
    )
    trial_credit_usd: Decimal = Field(Decimal(0), ge=0, le=1_000, description="credit for whoever verified a new address; 0 gives none")
    card_fee_percent: Decimal = Field(Decimal("2.9"), ge=0, le=20, description="what the card processor keeps of a top-up")
    card_fee_fixed_usd: Decimal = Field(Decimal("0.30"), ge=0, le=5, description="and of each top-up besides")
    upstream_fee_percent: Decimal = Field(Decimal("5.5"), ge=0, le=50, description="what the upstream adds when we buy its credits")
    typical_top_up_usd: Decimal = Field(Decimal(20), gt=0, le=100_000, description="the top-up that margins are worked out for")

    webhooks_allow_loopback: bool = Field(False, description="let webhooks go to this machine, over http too; refused in production")
    webhooks_kept_days: int = Field(30, ge=7, le=3650, description="how long events and what was sent of them are kept")

    call_details_months: int = Field(
        0, ge=0, le=120, description="whole months for which details of calls are kept beside the running one; 0 keeps all"
    )
    drain_notice_seconds: int = Field(0, ge=0, le=600, description="how long new calls are still taken after SIGTERM, /readyz saying no")
    drain_seconds: int = Field(25, ge=0, le=3600, description="how long running answers may go on after SIGTERM")
    upstream_connect_seconds: float = Field(5, gt=0, le=60, description="time to reach the upstream")
    upstream_first_byte_seconds: float = Field(60, gt=0, le=900, description="time until the upstream's first byte")
    upstream_idle_seconds: float = Field(60, gt=0, le=900, description="longest silence inside an answer")
    upstream_total_seconds: float = Field(900, gt=0, le=7200, description="longest answer")
    max_body_bytes: int = Field(10_485_760, ge=1024, le=104_857_600, description="largest request body")

    @field_validator("database_url", "database_read_url")
    @classmethod
    def _psycopg_url(cls, value: str) -> str:
        """`postgres://` and `postgresql://` become the psycopg 3 form (SQLAlchemy refuses the first)."""
        for scheme in ("postgres://", "postgresql://"):
            if value.startswith(scheme):
                return "postgresql+psycopg://" + value.removeprefix(scheme)
        if value and not value.startswith("postgresql+psycopg://"):
            raise ValueError("must begin with postgres:// or postgresql://; no other database is supported")
        return value

    @field_validator(
        "openrouter_base_url", "public_url", "stripe_api_base", "oidc_issuer", "brand_top_up_url", "operator_alert_webhook",
        "otel_exporter_otlp_endpoint",
    )  # fmt: skip
    @classmethod
    def _plain_url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("must be a full http:// or https:// address")
        return value.rstrip("/")

    @field_validator("brand_terms_url", "brand_privacy_url", "brand_imprint_url")
    @classmethod
    def _page_elsewhere(cls, value: str) -> str:
        cls._plain_url(value)
        return value

    @field_validator("brand_name", "brand_logo", "brand_color", "brand_letters_dir")
    @classmethod
    def _of_brand(cls, value: str, field: ValidationInfo) -> str:
        return branding.CHECKS[str(field.field_name)](value)

    @field_validator("mail_url")
    @classmethod
    def _mail_server(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if value.get_secret_value() and (parts.scheme not in ("smtp", "smtps") or not parts.hostname):
            raise ValueError("must look like smtp://user:password@host:587")
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        has_key = parts.username and parts.username.isascii()  # a header is made of it
        is_one = parts.scheme in ("http", "https") and parts.hostname and has_key and parts.path.strip("/")
        if value.get_secret_value() and not is_one:
            raise ValueError("must look like https://key@host/project")
        return value

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _headers(cls, value: SecretStr) -> SecretStr:
        """What HTTP can carry: RFC 9110, 5.1 and 5.5, where a character is one byte."""
        given = headers_of(value.get_secret_value())
        if not all(HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(text) for name, text in given):
            raise ValueError("must be name=value with commas between; a value is of Latin-1 characters, without line breaks")
        return value

    @field_validator("mail_from")
    @classmethod
    def _mailbox(cls, value: str) -> str:
        try:
            return value and Address(addr_spec=value).addr_spec
        except (ValueError, IndexError, HeaderParseError):
            raise ValueError("must be an e-mail address like shop@example.com, without a name") from None

    @field_validator("operator_alert_emails")
    @classmethod
    def _mailboxes(cls, value: str) -> str:
        return ",".join(cls._mailbox(each.strip()) for each in value.split(",") if each.strip())

    @model_validator(mode="after")
    def _complete(self) -> "Settings":
        if problems := problems_of(self):
            raise ValueError("\n".join(problems))
        return self

    @property
    def is_production(self) -> bool:
        return self.reseller_env == "production"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """SECRET_KEY, then the older ones that are still read."""
        older = (each.strip() for each in self.secret_key_previous.get_secret_value().split(","))
        return (self.secret_key.get_secret_value(), *(each for each in older if each))

    @property
    def base_url(self) -> str:
        """PUBLIC_URL, or this machine's own address in development."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def top_up_url(self) -> str:
        return self.brand_top_up_url or f"{self.base_url}/billing"

    @property
    def sender_address(self) -> str:
        """Whom letters are from. Without MAIL_FROM they go into files, and nobody answers those."""
        return self.mail_from or f"no-reply@{urlsplit(self.base_url).hostname}"

    @property
    def alert_emails(self) -> tuple[str, ...]:
        """Who hears of alarms by letter."""
        return tuple(self.operator_alert_emails.split(",")) if self.operator_alert_emails else ()

    @cached_property
    def brand(self) -> Brand:
        """Who the shop says it is; its files are read once."""
        legal = (("Terms", self.brand_terms_url), ("Privacy", self.brand_privacy_url), ("Imprint", self.brand_imprint_url))
        return Brand(
            name=self.brand_name,
            support_email=self.brand_support_email,
            logo=branding.read_logo(self.brand_logo),
            color=self.brand_color,
            legal_links=tuple(LegalLink(words, url) for words, url in legal if url),
            letters=branding.read_letters(self.brand_letters_dir),
        )
