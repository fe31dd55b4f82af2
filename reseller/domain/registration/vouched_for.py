"""Newcomers for whom a provider has vouched: the account, its credit to try and the way in come into being together."""

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.accounts import Person
from reseller.domain.identity import linked
from reseller.domain.identity.linked import Vouched
from reseller.domain.registration.newcomers import Newcomer, register
from reseller.domain.registration.trial_credit import Trial, grant_trial_credit


def register_through(newcomer: Newcomer, vouched: Vouched, trial: Trial) -> Person:
    """The person exists and signs in through the provider. Raises Conflict also if somebody does already, else as `register`."""
    with transaction():
        person = register(newcomer)
        linked.begin_with(person.user_id, vouched, actor=staff.actor_of(person.user_id))
        if newcomer.is_verified:
            grant_trial_credit(person, trial)
    return person
