"""An OpenID provider that others wrote (PyPI oidc-provider-mock), and its people; for tests in a browser."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route

from tests.servers import ServerProcess, free_port


class OpenIdMock(ServerProcess):
    """The server, listening once made. `people`: the claims of each."""

    def __init__(self, people: Sequence[dict[str, Any]], folder: Path) -> None:
        self.port = free_port()
        words = [word for person in people for word in ("--user-claims", json.dumps(person))]
        command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port), *words]
        super().__init__(command, env={"PATH": os.environ["PATH"]}, log=folder / "provider.log")
        self.await_answer(self.port, "/.well-known/openid-configuration")

    def settings(self, label: str) -> dict[str, str]:
        """What a deployment says to offer it under these words."""
        return {
            "OIDC_ISSUER": f"http://localhost:{self.port}",
            "OIDC_CLIENT_ID": "reseller",
            "OIDC_CLIENT_SECRET": "secret",
            "OIDC_LABEL": label,
        }


def without_looks(page: Page) -> Page:
    """The same window, which asks nobody for the style sheets that the provider's pages have on the internet."""
    page.route("https://cdn.jsdelivr.net/**", _nothing)
    page.route("**/favicon.ico", _nothing)
    return page


def _nothing(route: Route) -> None:
    route.fulfill(status=200, content_type="text/css", body="")
