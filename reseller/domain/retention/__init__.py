"""How long what is kept: one list of all that goes, and of all that stays for ever and why (R36). No money is in the first.

`policy.POLICY` is the list; `months` drops the details of calls, month by month, once they are in the books.
"""

from reseller.domain.retention.months import drop_due
from reseller.domain.retention.policy import KEPT, POLICY, Rule, forget

__all__ = ["KEPT", "POLICY", "Rule", "drop_due", "forget"]
