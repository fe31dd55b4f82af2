"""Texts that only this deployment can read back: encrypted and authenticated under a key derived from SECRET_KEY.

Each purpose has a key of its own, so a text sealed for one is refused for every other.
"""

import base64
import hashlib
import hmac
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Broken(Exception):
    """The text was not sealed by this key, was changed, or is too old."""


class Seal:
    """Closes and opens texts of one purpose."""

    def __init__(self, secret_key: str, purpose: str) -> None:
        key = HKDF(hashes.SHA256(), length=32, salt=None, info=f"reseller {purpose}".encode()).derive(secret_key.encode())
        self._key = key
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def close(self, text: str) -> str:
        """The text, readable by `open` alone."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str, *, within: timedelta | None = None) -> str:
        """The text that was closed, not longer ago than `within`. Raises Broken."""
        try:
            return self._fernet.decrypt(sealed.encode(), ttl=None if within is None else int(within.total_seconds())).decode()
        except InvalidToken as error:
            raise Broken from error

    def mark(self, text: str) -> str:
        """A mark that only this key gives this text, the same each time; the text stays readable beside it."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def is_marked(self, text: str, mark: str) -> bool:
        """Whether the mark is this text's."""
        return hmac.compare_digest(self.mark(text).encode(), mark.encode())
