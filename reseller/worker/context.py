"""What a job gets to work with."""

from dataclasses import dataclass, field
from uuid import UUID

from reseller.heart import Heart
from reseller.wiring import Wiring
from reseller.worker.errands import Errands


@dataclass(frozen=True, slots=True)
class Context:
    wiring: Wiring
    heart: Heart
    is_once: bool  # a single round: there is no history of beats to wait for
    errands: Errands = field(default_factory=Errands)  # what jobs set going and do not wait for
    journalled: set[UUID] = field(default_factory=set)  # audit rows of late that this worker has told the journal
