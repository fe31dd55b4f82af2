"""What a database that goes back in time would forget: audit rows told to somewhere else, and replayed after a restore.

A backup is as old as it is. Whatever was stopped since (a key revoked, an account suspended, a password changed) must stay
stopped; whatever was given since cannot be made again from an audit row, and is listed for people. `kinds` says which
action is which; a test holds it complete. Rows carry no secrets (R37), so neither does a journal.
"""

from reseller.domain.journal.kinds import LISTED, PASSED_OVER, REPLAYED
from reseller.domain.journal.lines import Line, Sums, ids_since, lines_of, lines_since, sums_now
from reseller.domain.journal.replaying import Replay, replay, revoke_all_keys

__all__ = [
    "LISTED",
    "PASSED_OVER",
    "REPLAYED",
    "Line",
    "Replay",
    "Sums",
    "ids_since",
    "lines_of",
    "lines_since",
    "replay",
    "revoke_all_keys",
    "sums_now",
]
