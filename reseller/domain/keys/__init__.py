"""API keys: their shape, making, recognition, changes and end. A key is shown once and never stored.

What is stored is the SHA-256 digest of the whole key, and the prefix people recognise it by. The digest → identity
mapping never changes, so it may be cached for ever (`directory`); whether the key still *works* is read in each
admission commit (design decision 6, promise R22).

`shape` is pure; `making` and `changing` write; `reading` is what pages and commands show.
"""

from reseller.digest import digest_of
from reseller.domain.keys.changing import MAX_GRACE, change, revoke, rotate
from reseller.domain.keys.directory import Caller, Directory
from reseller.domain.keys.making import MAX_ACTIVE_KEYS, KeyOrder, as_told, make, mint
from reseller.domain.keys.reading import KeyState, ListedKey, key_of, keys_of, listed, listed_key, purse_of, spent_now, state_of
from reseller.domain.keys.shape import (
    ALPHABET,
    SECRET_CHARACTERS,
    SHOWN_CHARACTERS,
    checksum,
    has_key_shape,
    shown_prefix,
)
from reseller.domain.keys.tables import ApiKey, SpendPeriod, is_usable, period_start, usable_at
from reseller.domain.keys.terms import MAX_LIFE, MAX_NAME_CHARACTERS, MAX_PATTERNS, KeyTerms, SpendLimit, check_patterns

__all__ = [
    "ALPHABET", "MAX_ACTIVE_KEYS", "MAX_GRACE", "MAX_LIFE", "MAX_NAME_CHARACTERS", "MAX_PATTERNS",
    "SECRET_CHARACTERS", "SHOWN_CHARACTERS", "ApiKey",
    "Caller", "Directory", "KeyOrder", "KeyState", "KeyTerms", "ListedKey", "SpendLimit", "SpendPeriod", "as_told", "change",
    "check_patterns", "checksum", "digest_of",
    "has_key_shape", "is_usable", "key_of", "keys_of", "listed", "listed_key", "make", "mint", "period_start", "purse_of", "revoke",
    "rotate", "shown_prefix", "spent_now", "state_of", "usable_at",
]  # fmt: skip
