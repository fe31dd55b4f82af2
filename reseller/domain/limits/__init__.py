"""Rate limits: what an account may ask for, sliding windows that say what it has asked for, and named sets to give out."""

from reseller.domain.limits.changes import change, give, limits_of, revert_due
from reseller.domain.limits.presets import add_preset, all_presets, change_preset, remove_preset
from reseller.domain.limits.tables import DEFAULT_CONCURRENT, DEFAULT_LIMITS, LIMIT_COLUMNS, LimitPreset, RateLimit, RequestCounter
from reseller.domain.limits.windows import BUCKETS, SLOTS, WINDOW_SECONDS, Allowance, SlidingWindow, WindowUse, used_now, windows_now

__all__ = [
    "BUCKETS", "DEFAULT_CONCURRENT", "DEFAULT_LIMITS", "LIMIT_COLUMNS", "SLOTS", "WINDOW_SECONDS", "Allowance", "LimitPreset", "RateLimit",
    "RequestCounter", "SlidingWindow", "WindowUse", "add_preset", "all_presets", "change", "change_preset", "give", "limits_of",
    "remove_preset", "revert_due", "used_now", "windows_now",
]  # fmt: skip
