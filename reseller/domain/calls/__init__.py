"""A paid call from admission to settlement. Two commits: `Till.admit` and `Till.settle`; between them none is open."""

from reseller.domain.calls.admission import Admit, Admitted, PriceTerms
from reseller.domain.calls.foresight import foresee
from reseller.domain.calls.settlement import CallFacts, Note, Outcome, Settle, Settled, facts_of
from reseller.domain.calls.till import Till

__all__ = ["Admit", "Admitted", "CallFacts", "Note", "Outcome", "PriceTerms", "Settle", "Settled", "Till", "facts_of", "foresee"]
