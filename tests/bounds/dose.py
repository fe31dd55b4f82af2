"""How much of each misbehaviour, in one place: short for the suite, long for `python -m tests.bounds`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dose:
    """Of one misbehaviour: `rounds` of `seconds` each, the neighbour alone for `alone_seconds` before."""

    seconds: float = 0.33
    rounds: int = 3
    alone_seconds: float = 0.3
    share: float = 1.0  # of the connections that a misbehaviour has by itself
    calm_seconds: float = 0.5  # to wait at most for the server to let go of the connections


SUITE = Dose()


def lasting(minutes: float, misbehaviours: int) -> Dose:
    """That many minutes for all of them together."""
    each = minutes * 60 / misbehaviours
    rounds = max(3, round(each / 10))
    return Dose(seconds=each * 0.8 / rounds, rounds=rounds, alone_seconds=min(each * 0.2, 5.0), share=1.5, calm_seconds=20.0)


ADDED_P99_MS = 100.0  # R31
USUAL_MS = 5.0  # what a call of the neighbour alone takes on the machine that R31 is measured on
TURNS = 4  # on a busy machine: a call waits for a processor so many times as often as an answer straight from the upstream
PEAK_MIB = 300.0  # above the start: the room for large bodies as bytes, as text, and on their way out
SETTLED_MIB = 100.0  # above the start, afterwards: what the allocator keeps for the next time
GROWTH_MIB = 40.0  # above the second round, after the last
