"""The operator's own webhook: alarms as JSON, signed like Standard Webhooks (standardwebhooks.com, specification of 2023-11).

The address comes from the environment of whoever runs the shop, so it may be in a private network and plain http; customers'
addresses never come here.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import requests

CONNECT_SECONDS, READ_SECONDS = 5.0, 10.0
PREFIX = "whsec_"
MIN_SECRET_BYTES = 16


class NotTold(Exception):
    """It did not take the message; tell it again later."""


def secret_bytes(secret: str) -> bytes:
    """The key behind `whsec_…` (base64), or the text itself."""
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of id, time and body."""
    signed = hmac.new(secret_bytes(secret), f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def tell(url: str, secret: str, *, message_id: str, at: datetime, payload: Mapping[str, Any]) -> None:
    """It has taken the message. Raises NotTold: no answer in time, a redirect, or a status other than 2xx.

    If we die here, it is told again under the same id.
    """
    body, timestamp = orjson.dumps(payload), int(at.timestamp())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Reseller-Alarms/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }
    with requests.Session() as session:
        session.trust_env = False
        try:
            timeout = (CONNECT_SECONDS, READ_SECONDS)
            with session.post(url, data=body, headers=headers, timeout=timeout, allow_redirects=False, stream=True) as answer:
                status = answer.status_code  # its body is nobody's business and is not read
        except requests.RequestException as error:
            raise NotTold(type(error).__name__) from None
    if not 200 <= status < 300:
        raise NotTold(f"it answers {status}")
