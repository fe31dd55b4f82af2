"""How long what is kept: one list of all that goes, and of all that stays for ever and why (R36). No money is in the first.

`policy.POLICY` is the list; `months` drops the details of calls, month by month, once they are in the books.
"""

from reseller.domain.retention.months import Dropping, drop_due, obstacles
from reseller.domain.retention.policy import KEPT, POLICY, Rule, forget

__all__ = ["KEPT", "POLICY", "Dropping", "Rule", "drop_due", "forget", "obstacles"]
