"""Visitors with a browser of their own, and a clock that stands still so that codes do."""

from collections.abc import Callable, Iterator

import pytest
import time_machine
from flask import Flask

from tests.authenticator import standing_clock
from tests.browser import Windows
from tests.portal.visitor import Visitor
from tests.shop import Shop
from tests.site import Site


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with standing_clock() as standing:
        yield standing


@pytest.fixture
def visitor(app: Flask, clock: time_machine.Traveller) -> Callable[..., Visitor]:
    """`visitor()` is somebody new; `address` is where they come from."""
    return lambda address="192.0.2.1", of=app: Visitor(of, address)


@pytest.fixture
def site(shop: Shop, windows: Windows) -> Site:
    """The shop's portal in a browser."""
    return Site(shop, windows)
