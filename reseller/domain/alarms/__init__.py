"""Alarms: what staff must look at, from the first sight of it until it is over; who looks after it, and who is told.

Sounded through `reseller.alarms` from anywhere; customers' own alerts are another thing (`alerts`).
"""

from reseller.domain.alarms.catalogue import ALARMS, Meaning, meaning_of
from reseller.domain.alarms.deciding import acknowledge, end
from reseller.domain.alarms.keeping import clear_quiet, forget_old, hold, keep
from reseller.domain.alarms.reading import OpenAlarm, open_alarms, unacknowledged, unattended, webhook_trouble
from reseller.domain.alarms.tables import Alarm, AlarmMessage
from reseller.domain.alarms.telling import ClaimedMessage, Ears, claim_messages, record_told, record_untold, tell

__all__ = [
    "ALARMS", "Alarm", "AlarmMessage", "ClaimedMessage", "Ears", "Meaning", "OpenAlarm", "acknowledge", "claim_messages", "clear_quiet",
    "end", "forget_old", "hold", "keep", "meaning_of", "open_alarms", "record_told", "record_untold", "tell",
    "unacknowledged", "unattended", "webhook_trouble",
]  # fmt: skip
