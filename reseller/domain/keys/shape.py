"""What a key looks like: `sk_live_` or `sk_test_`, 43 base62 characters (256 random bits), 6 of checksum. Pure.

A key whose checksum is wrong is refused without touching the database.
"""

import re
import secrets
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_CHARACTERS = 43  # 62**43 > 2**256
CHECKSUM_CHARACTERS = 6  # 62**6 > 2**32
LIVE, TEST = "sk_live_", "sk_test_"
SHOWN_CHARACTERS = len(LIVE) + 4
_SHAPE = re.compile(r"sk_(live|test)_[0-9A-Za-z]{49}", re.ASCII)


def random_token(*, is_test: bool) -> str:
    """The text of a key that nobody has seen before."""
    body = (TEST if is_test else LIVE) + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_CHARACTERS))
    return body + checksum(body)


def checksum(body: str) -> str:
    """Six base62 characters of CRC-32 over the key's text so far: catches typing errors, proves nothing."""
    value = zlib.crc32(body.encode("ascii"))
    letters = []
    for _ in range(CHECKSUM_CHARACTERS):
        value, digit = divmod(value, 62)
        letters.append(ALPHABET[digit])
    return "".join(letters)


def has_key_shape(token: str) -> bool:
    """Whether this text could be one of our keys: form and checksum, no database."""
    return _SHAPE.fullmatch(token) is not None and checksum(token[:-CHECKSUM_CHARACTERS]) == token[-CHECKSUM_CHARACTERS:]


def shown_prefix(prefix: str) -> str:
    """How a key is written after its one showing: `sk_live_abc1…`."""
    return f"{prefix}…"
