"""Settings from the environment: read once at start.

`NAME_FILE` may name a file that holds the value instead. An unknown spelling, a missing
secret or an impossible value stops the start with one line per problem (promise R40).
"""

import difflib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from config.settings import OUR_PREFIXES, Settings

ALIKE = 0.9
"""So is one that is almost spelt like one of ours (difflib's ratio)."""


THEIRS = ("OTEL_EXPORTER_OTLP_LOGS_",)
"""What begins like this is for other programs, however much it looks like ours."""


class SettingsRefused(Exception):
    """The environment cannot be used; `problems` holds one sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def variable_of(field: str) -> str:
    """The environment variable of a field: `port` → `PORT`."""
    return _key_of(field).upper()


def _key_of(field: str) -> str:
    """The name by which the model takes the field: its alias, if it has one."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else field


VARIABLES = {variable_of(field): field for field in Settings.model_fields}


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from an environment. Raises SettingsRefused with every problem at once."""
    problems = misspelt(environ)
    values: dict[str, str] = {}
    for variable, field in VARIABLES.items():
        try:
            value = _value_of(variable, environ)
        except OSError as error:
            problems.append(f"{variable}_FILE names a file that cannot be read: {error.strerror}")
            continue
        if value is not None:
            values[_key_of(field)] = value
    if environ.get("FLASK_DEBUG", "0") not in ("", "0", "false") and values.get("reseller_env", "production") == "production":
        problems.append("FLASK_DEBUG is on: a debugger in production gives everything away")
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [sentence for detail in error.errors(include_url=False) for sentence in _sentences(detail["loc"], detail["msg"])]
        raise SettingsRefused(problems) from None
    if problems:
        raise SettingsRefused(problems)
    return settings


def _value_of(variable: str, environ: Mapping[str, str]) -> str | None:
    file_name = environ.get(f"{variable}_FILE")
    if file_name:
        return Path(file_name).read_text(encoding="utf-8").strip()
    value = environ.get(variable)
    return value if value else None


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """One sentence for each variable that seems to mean one of ours and is none."""
    known = set(VARIABLES) | {f"{name}_FILE" for name in VARIABLES}
    problems = []
    for name in environ:
        if name in known or name.startswith(THEIRS):
            continue
        alike = difflib.get_close_matches(name, known, n=1, cutoff=ALIKE)
        if alike or name.startswith(OUR_PREFIXES):
            near = alike or difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{name} is not a setting{hint}")
    return sorted(problems)


def _sentences(location: tuple[int | str, ...], message: str) -> list[str]:
    text = message.removeprefix("Value error, ")
    if not location:
        return text.split("\n")
    return [f"{str(location[0]).upper()}: {text}"]
