"""What stands for a secret where the secret itself must not be: ground, for tokens, codes, keys and mailboxes."""

import hashlib


def digest_of(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
