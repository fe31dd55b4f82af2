"""What a job gets to work with."""

from dataclasses import dataclass

from reseller.heart import Heart
from reseller.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Context:
    wiring: Wiring
    heart: Heart
    is_once: bool  # a single round: there is no history of beats to wait for
