"""Two boxes with folders of their own on one PostgreSQL, without anything in front: what one decides holds at the other."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from reseller.domain.calls.processes import SILENT_SECONDS
from tests import factories
from tests.deploy.boxes import Box, Fleet, open_fleet
from tests.deployment import Cluster
from tests.faults.clients import asking
from tests.faults.evidence import assert_proved_by_command
from tests.gateway.raw import RawClient
from tests.servers import run_flask
from tests.shop import SLUG, Customer, charge_for
from tests.staff import cookie_of
from tests.waiting import wait_until

REVOKED_WITHIN, LIVE_WITHIN = 1.0, 2.0  # R22, interface: seconds
PER_MINUTE = 20


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with open_fleet(cluster, tmp_path_factory.mktemp("boxes")) as opened:
        yield opened


def each(fleet: Fleet, customer: Customer) -> list[Customer]:
    """The customer at each box."""
    return [fleet.at(box, customer) for box in fleet.boxes]


def command(box: Box, *words: str) -> str:
    """A command that an operator gives at this box."""
    done = run_flask(*words, env=box.env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_limit_is_one_limit_at_all_boxes(fleet: Fleet) -> None:
    """R30."""
    customer = fleet.customer(usd="10")
    with fleet.at_work():
        factories.lift_limits(customer.person)
        factories.set_limits(customer.person, rpm=PER_MINUTE)
    sides = each(fleet, customer)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: sides[number % 2].chat().status, range(3 * PER_MINUTE)))

    assert (statuses.count(200), statuses.count(429)) == (PER_MINUTE, 2 * PER_MINUTE)


def test_money_is_spent_once_at_all_boxes(fleet: Fleet) -> None:
    """R3: two boxes at once cannot spend more than there is."""
    customer = fleet.customer(usd="0.0002", limits=False)
    sides = each(fleet, customer)

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda number: sides[number % 2].chat("fake/default", max_tokens=16).status, range(80)))

    assert set(statuses) == {200, 402}
    charged = sum(row["charge_nano"] for row in customer.rows)
    assert customer.books.settled_nano == 200_000 - charged >= 0


def test_a_key_that_is_revoked_at_one_box_is_refused_at_the_other(fleet: Fleet) -> None:
    """R22."""
    customer = fleet.customer()
    assert [side.chat().status for side in each(fleet, customer)] == [200, 200]
    [key] = fleet.query("SELECT id FROM api_keys WHERE account_id = %s", customer.person.account_id)

    command(fleet.boxes[0], "keys", "revoke", str(key["id"]))
    revoked_at = time.monotonic()
    wait_until(lambda: [side.chat().status for side in each(fleet, customer)] == [401, 401], REVOKED_WITHIN)

    assert time.monotonic() - revoked_at < REVOKED_WITHIN


def test_a_price_that_is_changed_at_one_box_is_charged_at_all(fleet: Fleet) -> None:
    customer = fleet.customer(usd="10", limits=False)

    command(fleet.boxes[0], "prices", "add", SLUG, "--markup", "100", "--priority", "5")
    changed_at = time.monotonic()
    for side in each(fleet, customer):
        wait_until(lambda side=side: markup_of(fleet, side) == 100, LIVE_WITHIN)  # type: ignore[misc]

    assert time.monotonic() - changed_at < LIVE_WITHIN + 1


def markup_of(fleet: Fleet, side: Customer) -> int:
    """Of a call that is made now, by the upstream's bill."""
    assert side.chat().status == 200
    row = side.rows[-1]
    bill = fleet.bill_of(row["generation_id"])
    [markup] = [percent for percent in (25, 100) if charge_for(bill["cost"], markup=Decimal(percent)) == row["charge_nano"]]
    return markup


def test_whoever_signs_in_at_one_box_is_signed_in_at_all(fleet: Fleet) -> None:
    customer = fleet.customer()
    with fleet.at_work():
        name, value = cookie_of(fleet.app, customer.person.user_id)

    for box, side in zip(fleet.boxes, each(fleet, customer), strict=True):
        page = side.shop.call("/overview", headers={"Cookie": f"{name}={value}", "Host": f"localhost:{box.port}"})
        assert page.status == 200


def test_each_box_tells_its_own_measures(fleet: Fleet) -> None:
    customer = fleet.customer(limits=False)
    sides = each(fleet, customer)
    before = [completed(side) for side in sides]

    for _ in range(3):
        sides[0].chat()
    sides[1].chat()

    assert [completed(side) - number for side, number in zip(sides, before, strict=True)] == [3, 1]


def completed(side: Customer) -> int:
    text = side.shop.call("/metrics").body.decode()
    found = re.findall(r'^reseller_calls_total\{.*outcome="completed".*\} ([0-9.]+)$', text, re.MULTILINE)
    return int(sum(map(float, found)))


def test_calls_of_a_box_that_dies_are_ended_by_the_worker_of_another(fleet: Fleet) -> None:
    """R10, R11. That the dead have been silent for long enough is said by moving their heartbeat back."""
    lost, living = fleet.boxes
    customer, other = fleet.customer(limits=False), fleet.customer(limits=False)
    fleet.fake.plans["until it dies"] = {"tokens": 2000, "pause_ms": 50}
    living.start_worker()
    with RawClient(fleet.at(lost, customer)) as client, RawClient(fleet.at(living, other)) as survivor:
        for each_client in (client, survivor):
            each_client.ask("fake/default", stream=True, **asking("until it dies"))
            each_client.read_until(b"quick")
        wait_until(lambda: customer.holds[0]["generation_id"])
        dead = lost.web.worker_pids

        lost.kill()
        fleet.query(
            "UPDATE processes SET beat_at = beat_at - make_interval(secs => %s) WHERE pid = ANY(%s) RETURNING id", SILENT_SECONDS + 1, dead
        )
        wait_until(lambda: not customer.holds, 60)
        assert other.holds, "the call of the living box goes on"

    assert (customer.row["status"], customer.row["flag"]) == ("partial", "process_lost")
    assert customer.row["charge_nano"] == charge_for(customer.bill) > 0
    wait_until(lambda: not other.holds, 60)
    lost.start_web()
    assert fleet.at(lost, customer).chat().status == 200
    assert_proved_by_command(fleet)
