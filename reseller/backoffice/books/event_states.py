"""How far Stripe's events have come, in the words of pages. What does not fit is dealt with, too: it lies in suspense."""

from reseller.domain.payments import EventState

WORDS = {EventState.RECEIVED: "waits", EventState.APPLIED: "dealt with", EventState.IGNORED: "no payment of ours"}
TONES = {EventState.RECEIVED: "bad", EventState.APPLIED: "good", EventState.IGNORED: "quiet"}
