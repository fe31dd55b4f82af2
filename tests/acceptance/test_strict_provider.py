"""Signing in with a certified OpenID provider that others wrote: npm oidc-provider, which requires PKCE (R26)."""

import html
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from tests.acceptance.npm import installed, node
from tests.domain import scenes
from tests.portal.visitor import Visitor
from tests.servers import ServerProcess, free_port

PACKAGE, VERSION = "oidc-provider", "9.13.3"
ORIGIN = "https://shop.example"
SCRIPT = Path(__file__).with_name("strict_provider.mjs")


class StrictProvider(ServerProcess):
    """The server, listening once made."""

    def __init__(self, claims: dict[str, Any], folder: Path) -> None:
        self.port = free_port()
        words = [
            str(installed(PACKAGE, VERSION, "lib/index.js")),
            str(self.port),
            f"{ORIGIN}/sign-in/with/oidc/callback",
            json.dumps(claims),
        ]
        super().__init__([node(), str(SCRIPT), *words], env={"PATH": os.environ["PATH"]}, log=folder / "provider.log")
        self.await_answer(self.port, "/.well-known/openid-configuration", 20)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sign_in(self, url: str) -> str:
        """Where the browser goes that was sent to `url`, after its owner has signed in there and consented."""
        with requests.Session() as browser:
            page = browser.get(url, timeout=10)
            for filled in ({"prompt": "login", "login": "ann", "password": "x"}, {"prompt": "consent"}):
                action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
                assert action, page.text
                answer = browser.post(html.unescape(action[1]), data=filled, allow_redirects=False, timeout=10)
                while answer.is_redirect and not answer.headers["Location"].startswith(ORIGIN):
                    answer = browser.get(requests.compat.urljoin(answer.url, answer.headers["Location"]), allow_redirects=False, timeout=10)
                if answer.is_redirect:
                    return answer.headers["Location"].removeprefix(ORIGIN)
                page = answer
        raise AssertionError(page.text)


@pytest.mark.parametrize("is_verified", [True, False])
def test_somebody_comes_in_through_a_strict_provider_if_it_has_verified_their_address(
    app: Flask, make_app: Callable[..., Flask], tmp_path: Path, is_verified: bool
) -> None:
    """R26: state, nonce, PKCE, `iss` in the answer, claims from the userinfo endpoint."""
    claims = {"email": "ann@example.com", "email_verified": is_verified, "name": "Ann"}
    with StrictProvider(claims, tmp_path) as provider:
        ours = {"OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": "reseller", "OIDC_CLIENT_SECRET": "a-secret-of-the-client"}
        browser = Visitor(make_app(PUBLIC_URL=ORIGIN, **ours), origin=ORIGIN)

        back = provider.sign_in(browser.get("/sign-in/with/oidc").location)
        answer = browser.get(back)
        replayed = browser.get(back)

    people = scenes.rows("SELECT email, full_name FROM users")
    assert "&iss=" in back
    assert answer.status_code == (302 if is_verified else 403)
    assert people == ([{"email": "ann@example.com", "full_name": "Ann"}] if is_verified else [])
    assert replayed.status_code == 400
