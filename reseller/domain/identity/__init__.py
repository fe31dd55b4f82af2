"""Who is at the browser: sign-in with password, provider and second factor, sessions, links in letters, and brakes on guessing.

Not here: people and their roles (`accounts`), pages (`portal`, `web`).
"""

from reseller.domain.identity.tables import Identity, Link, RecoveryCode, SecondFactor, SignInSession, Throttle

__all__ = ["Identity", "Link", "RecoveryCode", "SecondFactor", "SignInSession", "Throttle"]
