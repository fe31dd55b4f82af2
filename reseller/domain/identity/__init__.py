"""Who is at the browser: sign-in with password and second factor, sessions, and brakes on guessing.

Not here: people and their roles (`accounts`), pages (`portal`, `web`).
"""

from reseller.domain.identity.tables import RecoveryCode, SecondFactor, SignInSession, Throttle

__all__ = ["RecoveryCode", "SecondFactor", "SignInSession", "Throttle"]
