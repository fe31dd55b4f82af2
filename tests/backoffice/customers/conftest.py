"""A customer to look at, and the pages about them."""

from dataclasses import dataclass

import pytest
from flask import Flask

from reseller.domain.accounts import Person
from reseller.domain.keys import ApiKey
from tests import factories


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the pages are about."""

    person: Person
    key: ApiKey

    def url(self, page: str = "") -> str:
        return f"/admin/customers/{self.person.account_id}/{page}"


@pytest.fixture
def customer(app: Flask) -> Subject:
    who = factories.make_person(usd="10", full_name="Ann Able", company="Able <b>Ltd</b>")
    return Subject(who, factories.mint_key(who)[1])
