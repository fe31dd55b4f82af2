"""How business and machine are doing over a range of days: reads of the sums of usage, of the ledger, of processes and jobs.

Exact: a figure over a range is the sum of the calls in it, in whatever zone its days are. Test calls are left out unless a figure
says so. Nothing here writes.
"""

from reseller.domain.desk.figures.bookkeeping import BookEntry, entries_by_month, entries_of
from reseller.domain.desk.figures.business import BusinessFigures, business
from reseller.domain.desk.figures.finance import FinanceDay, FinanceFigures, finance
from reseller.domain.desk.figures.health import HealthFigures, health
from reseller.domain.desk.figures.patterns import PatternFigures, patterns
from reseller.domain.desk.figures.performance import PerformanceFigures, performance
from reseller.domain.desk.figures.waiting import Waiting, waiting
from reseller.domain.usage.period import Period

__all__ = [
    "BookEntry", "BusinessFigures", "FinanceDay", "FinanceFigures", "HealthFigures", "PatternFigures", "PerformanceFigures", "Period",
    "Waiting", "business", "entries_by_month", "entries_of", "finance", "health", "patterns", "performance", "waiting",
]  # fmt: skip
