"""What is outside the product: settings, servers, logging. Imports nothing of `reseller`.

`settings_for(environ)` gives the settings of this deployment, or refuses.
"""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from config.reading import SettingsRefused, read_settings
from config.settings import Settings

__all__ = ["Settings", "SettingsRefused", "settings_for"]


def settings_for(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises SettingsRefused with one sentence per problem.

    When RESELLER_ENV is unset and `make run` has left `instance/env`, that file speaks;
    variables of the real environment win over it. Outside production a missing SECRET_KEY
    is made once and kept in the instance folder.
    """
    values = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
    instance = Path(values.get("RESELLER_INSTANCE", "instance"))
    left_behind = instance / "env"
    if "RESELLER_ENV" not in values and left_behind.is_file():
        values = {**{k: v for k, v in dotenv_values(left_behind, interpolate=False).items() if v}, **values}
    if values.get("RESELLER_ENV") in ("development", "testing") and not (values.get("SECRET_KEY") or values.get("SECRET_KEY_FILE")):
        values["SECRET_KEY"] = kept_secret(instance / "secret_key")
    return read_settings(values)


def kept_secret(path: Path) -> str:
    """A random secret that is made once and kept in `path`, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)  # whole or not at all, and the first of several processes wins
    draft.unlink()
    return path.read_text(encoding="ascii").strip()
