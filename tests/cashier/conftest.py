"""An app that sells credit through a stand-in for Stripe."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from config import Settings
from tests.cashier.bank import Bank
from tests.deployment import settings_over
from tests.fakes.stripe import FakeStripe


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe() as started:
        yield started


@pytest.fixture
def app_settings(database_url: str, tmp_path: Path, fake: FakeStripe) -> Settings:
    return settings_over(database_url, tmp_path, **fake.settings())


@pytest.fixture
def bank(app: Flask, fake: FakeStripe) -> Bank:
    return Bank(app, fake)
