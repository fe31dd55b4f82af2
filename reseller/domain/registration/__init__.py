"""How people come in: a person with an account of their own, a verified address, credit to try it; and back in, without a password.

Not here: passwords and sessions (`identity`), the words of letters (`worker`).
"""

from reseller.domain.registration.forgetting import forget_unverified
from reseller.domain.registration.newcomers import Newcomer, register
from reseller.domain.registration.signing_up import send_again, sign_up, verify
from reseller.domain.registration.trial_credit import Trial, grant_trial_credit
from reseller.domain.registration.vouched_for import register_through

__all__ = [
    "Newcomer", "Trial", "forget_unverified", "grant_trial_credit", "register", "register_through", "send_again", "sign_up", "verify",
]  # fmt: skip
