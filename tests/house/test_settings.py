"""The environment is documented, once, and truly."""

import re
from pathlib import Path

from pydantic import SecretStr

from config.reading import VARIABLES, misspelt
from config.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTED = re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / "config" / "env.example").read_text(), re.MULTILINE)
UNPREFIXED = {"PORT", "WEB_CONCURRENCY"}  # platforms set these, under names of their choice


def test_every_setting_is_in_env_example_and_nothing_else_is() -> None:
    documented = [name for name, _ in DOCUMENTED]

    assert len(documented) == len(set(documented)), "a variable is documented twice in config/env.example"
    assert set(documented) == set(VARIABLES), "config/env.example and config/settings.py must name the same variables"


def test_env_example_tells_the_true_defaults() -> None:
    for name, told in DOCUMENTED:
        default = Settings.model_fields[VARIABLES[name]].default
        plain = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
        assert told == plain, f"config/env.example says {name}={told}, config/settings.py says {plain}"


def test_every_variable_has_help_above_it() -> None:
    lines = (ROOT / "config" / "env.example").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"[A-Z]", line):
            above = lines[number - 1]
            assert above.startswith("#") or re.match(r"[A-Z]", above), f"{line} in config/env.example has no help"


def test_every_setting_has_help_in_one_line() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} in config/settings.py needs a description"
        assert "\n" not in field.description


def test_a_misspelt_setting_can_be_noticed() -> None:
    for name in set(VARIABLES) - UNPREFIXED:
        slip = name[:-2] + name[-1] + name[-2] if name[-1] != name[-2] else name[:-1]
        assert misspelt({slip: "x"}), f"{slip} would pass unseen: {name} needs a prefix in OUR_PREFIXES, or ALIKE another value"


def test_durations_and_sizes_carry_their_unit() -> None:
    for name, field in Settings.model_fields.items():
        if field.annotation in (int, float) and name not in {"port", "web_concurrency", "trusted_proxies"}:
            assert name.endswith(("_seconds", "_bytes", "_days", "_months")), f"put the unit into the name of {name}"
