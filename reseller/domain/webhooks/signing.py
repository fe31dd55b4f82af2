"""Messages as Standard Webhooks has them: an id that stays, an instant, and a signature over both and the body. Pure.

Source: github.com/standard-webhooks/standard-webhooks, spec, 2025-10: signed is `id.timestamp.body` with HMAC-SHA256; secrets are
`whsec_` and base64 of 24 to 64 bytes; several signatures stand beside each other with spaces between.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret that nobody has seen before."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(message_id: str, timestamp: int, body: bytes, secret_texts: Iterable[str]) -> dict[str, str]:
    """The headers that let a receiver know who sent this, with one signature for each secret. `timestamp`: seconds since 1970."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_signature(signed, text)}" for text in secret_texts),
    }


def _signature(signed: bytes, secret_text: str) -> str:
    key = base64.b64decode(secret_text.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
