"""How people come in: a person with an account of their own, and credit to try it.

Not here: passwords and sessions (`identity`).
"""

from reseller.domain.registration.newcomers import Newcomer, register
from reseller.domain.registration.trial_credit import Trial, grant_trial_credit
from reseller.domain.registration.vouched_for import register_through

__all__ = ["Newcomer", "Trial", "grant_trial_credit", "register", "register_through"]
