"""What the environment may say, and what stops the start (R40)."""

import threading
from pathlib import Path

import pytest

from config import SettingsRefused, kept_secret, settings_for
from config.reading import read_settings

PRODUCTION = {
    "RESELLER_ENV": "production",
    "DATABASE_URL": "postgres://reseller:pw@db.internal/reseller",
    "SECRET_KEY": "b7" * 20,
    "PUBLIC_URL": "https://gateway.test",
}
STRIPE = {"STRIPE_SECRET_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"}
TESTING = {"RESELLER_ENV": "testing"}


def problems_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        read_settings(environ)
    return refused.value.problems


def test_a_complete_production_environment_is_accepted() -> None:
    settings = read_settings(PRODUCTION)

    assert settings.is_production
    assert settings.database_url == "postgresql+psycopg://reseller:pw@db.internal/reseller"
    assert settings.base_url == "https://gateway.test"
    assert settings.top_up_url == "https://gateway.test/billing"


def test_production_names_every_missing_secret_at_once() -> None:
    problems = problems_of({})

    assert [problem.split()[0] for problem in problems] == ["SECRET_KEY", "DATABASE_URL", "PUBLIC_URL"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SECRET_KEY": "changeme"}, "SECRET_KEY"),
        ({"SECRET_KEY": "short-but-random"}, "SECRET_KEY"),
        ({"PUBLIC_URL": "http://gateway.test"}, "PUBLIC_URL"),
        ({"PUBLIC_URL": "gateway.test"}, "PUBLIC_URL"),
        ({"DATABASE_URL": "sqlite:///reseller.db"}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://db/reseller"}, "DATABASE_URL"),
        ({"STRIPE_SECRET_KEY": "sk_live_x"}, "STRIPE_WEBHOOK_SECRET"),
        ({**STRIPE, "STRIPE_SECRET_KEY": "sk_test_x"}, "STRIPE_SECRET_KEY"),
        ({**STRIPE, "STRIPE_SECRET_KEY": "rk_test_x"}, "STRIPE_SECRET_KEY"),
        ({**STRIPE, "STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_ALLOW_TEST_KEY": "false"}, "STRIPE_ALLOW_TEST_KEY"),
        ({**STRIPE, "STRIPE_API_BASE": "http://127.0.0.1:4242"}, "STRIPE_API_BASE"),
        ({**STRIPE, "STRIPE_API_BASE": "https://api.stripe.com.evil.test"}, "STRIPE_API_BASE"),
        ({**STRIPE, "STRIPE_API_BASE": "http://api.stripe.com"}, "STRIPE_API_BASE"),
        ({"OIDC_ISSUER": "https://login.test"}, "OIDC_CLIENT_ID"),
        ({"GOOGLE_CLIENT_ID": "id"}, "GOOGLE_CLIENT_SECRET"),
        ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
        ({"PORT": "0"}, "PORT"),
        ({"PORT": "eight"}, "PORT"),
        ({"UPSTREAM_TOTAL_SECONDS": "nan"}, "UPSTREAM_TOTAL_SECONDS"),
        ({"MAIL_URL": "mail.test:587"}, "MAIL_URL"),
        ({"MAIL_URL": "smtp://mail.test"}, "MAIL_FROM"),
        ({"MAIL_FROM": "Acme <shop@acme.example>"}, "MAIL_FROM"),
        ({"MAIL_FROM": "shop@acme.example\nBcc: x@example.com"}, "MAIL_FROM"),
        ({"RESELLER_ENV": "staging"}, "RESELLER_ENV"),
        ({"BRAND_NAME": "Two\nlines"}, "BRAND_NAME"),
        ({"BRAND_NAME": "n" * 61}, "BRAND_NAME"),
        ({"BRAND_COLOR": "red; } body { display: none"}, "BRAND_COLOR"),
        ({"BRAND_LOGO": "/nowhere/logo.svg"}, "BRAND_LOGO"),
        ({"BRAND_LOGO": "/dev/zero"}, "BRAND_LOGO"),
        ({"BRAND_LOGO": __file__}, "BRAND_LOGO"),
        ({"BRAND_TERMS_URL": "javascript:alert(1)"}, "BRAND_TERMS_URL"),
        ({"BRAND_LETTERS_DIR": "/nowhere"}, "BRAND_LETTERS_DIR"),
        ({"SENTRY_DSN": "https://k\u20acy@sentry.test/1"}, "SENTRY_DSN"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "api-key=%E2%82%AC"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%0D%0AHost: b"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "x=1,k\xe9y=a"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "Bearer abc"}, "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_an_unsafe_or_impossible_value_is_one_line_that_names_it(change: dict[str, str], named: str) -> None:
    problems = problems_of({**PRODUCTION, **change})

    assert len(problems) == 1
    assert named in problems[0]
    assert "\n" not in problems[0]


@pytest.mark.parametrize(
    "change",
    [
        {"STRIPE_SECRET_KEY": "sk_live_x"},
        {"STRIPE_SECRET_KEY": "rk_live_x", "STRIPE_API_BASE": "https://api.stripe.com/"},
        {"STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_ALLOW_TEST_KEY": "true"},
    ],
)
def test_production_sells_for_real_money_or_says_that_it_does_not(change: dict[str, str]) -> None:
    """R40."""
    assert read_settings({**PRODUCTION, **STRIPE, **change}).stripe_secret_key.get_secret_value() == change["STRIPE_SECRET_KEY"]


def test_a_shop_that_is_not_in_production_sells_for_test_money() -> None:
    given = {**TESTING, **STRIPE, "STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_API_BASE": "http://127.0.0.1:4242"}

    assert read_settings(given).stripe_api_base == "http://127.0.0.1:4242"


@pytest.mark.parametrize("headers", ["api-key=abc%3D, x-team = ops,", "authorization=Bearer%20a=b", "x-team=%C3%A9t%C3%A9", "x-empty="])
def test_headers_that_http_can_carry_are_taken(headers: str) -> None:
    assert read_settings({**PRODUCTION, "OTEL_EXPORTER_OTLP_HEADERS": headers}).otel_exporter_otlp_headers.get_secret_value() == headers


def test_a_refusal_does_not_repeat_the_secret() -> None:
    problems = problems_of({**PRODUCTION, "SECRET_KEY": "hunter2", "DATABASE_URL": "sqlite://user:hunter2@x", "MAIL_URL": "hunter2"})

    assert len(problems) >= 2
    assert "hunter2" not in " ".join(problems)


def test_an_unknown_spelling_is_refused_with_the_nearest_name() -> None:
    assert problems_of({**TESTING, "OPENROUTER_APIKEY": "x"}) == ["OPENROUTER_APIKEY is not a setting; did you mean OPENROUTER_API_KEY?"]


def test_a_variable_of_somebody_else_is_ignored() -> None:
    assert read_settings({**TESTING, "HOME": "/root", "PIP_INDEX_URL": "x"}).reseller_env == "testing"


def test_a_file_may_hold_the_value(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-or-from-a-file\n")

    settings = read_settings({**TESTING, "OPENROUTER_API_KEY_FILE": str(tmp_path / "key")})

    assert settings.openrouter_api_key.get_secret_value() == "sk-or-from-a-file"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    problems = problems_of({**TESTING, "METRICS_TOKEN_FILE": str(tmp_path / "missing")})

    assert problems == ["METRICS_TOKEN_FILE names a file that cannot be read: No such file or directory"]


def test_an_empty_variable_means_its_default() -> None:
    assert read_settings({**TESTING, "PORT": ""}).port == 8000


def test_secrets_are_masked_in_every_representation() -> None:
    settings = read_settings({**PRODUCTION, "STRIPE_SECRET_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"})

    assert PRODUCTION["SECRET_KEY"] not in repr(settings)
    assert "whsec_x" not in f"{settings!r} {settings}"


def test_commands_take_what_make_run_left_behind(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("RESELLER_ENV='development'\nPORT='8123'\nBRAND_NAME='Pay ${HOME}'\n")

    settings = settings_for({"RESELLER_INSTANCE": str(tmp_path)})

    assert (settings.reseller_env, settings.port, settings.brand_name) == ("development", 8123, "Pay ${HOME}")


def test_the_real_environment_wins_over_what_was_left_behind(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("RESELLER_ENV=development\nPORT=8123\n")

    settings = settings_for({"RESELLER_INSTANCE": str(tmp_path), "PORT": "9000"})

    assert settings.port == 9000


def test_what_was_left_behind_is_not_read_in_another_environment(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("PORT=8123\n")

    settings = settings_for({**TESTING, "RESELLER_INSTANCE": str(tmp_path)})

    assert settings.port == 8000


def test_a_generated_secret_is_kept_private_and_stable(tmp_path: Path) -> None:
    environ = {**TESTING, "RESELLER_INSTANCE": str(tmp_path)}

    first, second = settings_for(environ), settings_for(environ)

    assert len(first.secret_key.get_secret_value()) >= 32
    assert first.secret_key == second.secret_key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path) -> None:
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(kept_secret(tmp_path / "new" / "secret"))) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told) == 16
    assert len(set(told)) == 1
    assert told[0]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret"]
