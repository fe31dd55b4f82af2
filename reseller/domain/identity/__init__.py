"""Who is at the browser: sign-in with password, provider and second factor, sessions, and brakes on guessing.

Not here: people and their roles (`accounts`), pages (`portal`, `web`).
"""

from reseller.domain.identity.tables import Identity, RecoveryCode, SecondFactor, SignInSession, Throttle

__all__ = ["Identity", "RecoveryCode", "SecondFactor", "SignInSession", "Throttle"]
