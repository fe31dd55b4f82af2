"""The back office as a member of staff has it: a running shop, and signed-in windows of a real browser onto it."""

from typing import Any

from playwright.sync_api import Page

from reseller.domain.accounts import Person, Role
from tests import factories
from tests.site import Site


class Console(Site):
    """`page` is a window of somebody of staff."""

    def person(self, role: Role = Role.ADMIN, **facts: Any) -> Person:
        """A new member of staff."""
        with self.shop.at_work():
            return factories.make_person(role=role, **facts)

    def page(self, who: Role | Person = Role.ADMIN, *, has_second_factor: bool = True, **more: Any) -> Page:
        """A window of this person, or of a new one of this role: signed in, the second factor shown just now. `more` as for `window`."""
        person = who if isinstance(who, Person) else self.person(who)
        return self.window(person, has_second_factor=has_second_factor, **more)
