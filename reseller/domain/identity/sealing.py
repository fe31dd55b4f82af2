"""Texts that only this deployment can read back: encrypted and authenticated under a key derived from SECRET_KEY.

Each purpose has a key of its own, so a text sealed for one is refused for every other. While SECRET_KEY is replaced, what an older
one closed is still read; what is written is written under the new one.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Broken(Exception):
    """The text was not sealed by this key, was changed, or is too old."""


class Seal:
    """Closes and opens texts of one purpose. The first of several keys closes, all of them open."""

    def __init__(self, secret_keys: str | Sequence[str], purpose: str) -> None:
        given = (secret_keys,) if isinstance(secret_keys, str) else secret_keys
        self._keys = [_derived(secret, purpose) for secret in given]
        fernets = [Fernet(base64.urlsafe_b64encode(key)) for key in self._keys]
        self._newest, self._fernet = fernets[0], MultiFernet(fernets)

    def close(self, text: str) -> str:
        """The text, readable by `open` alone."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str, *, within: timedelta | None = None) -> str:
        """The text that was closed, not longer ago than `within`. Raises Broken."""
        try:
            return self._fernet.decrypt(sealed.encode(), ttl=None if within is None else int(within.total_seconds())).decode()
        except InvalidToken as error:
            raise Broken from error

    def renewed(self, sealed: str) -> str | None:
        """The same text under the newest key; None if it is already. Raises Broken if no key opens it."""
        try:
            self._newest.decrypt(sealed.encode())
        except InvalidToken:
            return self.close(self.open(sealed))
        return None

    def mark(self, text: str) -> str:
        """A mark that only this key gives this text, the same each time; the text stays readable beside it."""
        return _mark(self._keys[0], text)

    def is_marked(self, text: str, mark: str) -> bool:
        """Whether the mark is this text's."""
        return any(hmac.compare_digest(_mark(key, text).encode(), mark.encode()) for key in self._keys)


def _derived(secret_key: str, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=None, info=f"reseller {purpose}".encode()).derive(secret_key.encode())


def _mark(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
