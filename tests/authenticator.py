"""An authenticator app, as a phone has it, and a clock that stands in the middle of a step unless a test moves it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyotp
import time_machine

from reseller.clock import unix_seconds
from reseller.domain.identity.second_factor import STEP_SECONDS


class Authenticator:
    """Knows the secret that somebody scanned."""

    def __init__(self, secret: str) -> None:
        self._totp = pyotp.TOTP(secret.replace(" ", ""))

    def code(self, *, steps: int = 0) -> str:
        """The code it shows now, or that many steps later."""
        return self._totp.generate_otp(unix_seconds() // STEP_SECONDS + steps)

    def wrong_code(self) -> str:
        """Six digits that are no code of the steps around now."""
        near = {self.code(steps=steps) for steps in range(-3, 4)}
        return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777") if code not in near)


@contextmanager
def standing_clock() -> Iterator[time_machine.Traveller]:
    """Codes do not change while a test looks: the time is now, in the middle of a step, and moves only by `shift`."""
    with time_machine.travel(unix_seconds() // STEP_SECONDS * STEP_SECONDS + STEP_SECONDS / 2, tick=False) as clock:
        yield clock
