"""The answer of COMMIT is lost, or COMMIT never arrives: the same ids are sent again and have one effect (R4, R5, R12, R13)."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.faults.clients import Buyers, OpenCall, whole_and_streamed
from tests.faults.commits import Fate
from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, rich_customer
from tests.shop import Customer
from tests.waiting import wait_until


@contextmanager
def locked_account(storm: Storm, customer: Customer) -> Iterator[None]:
    """Somebody else holds the account's row."""
    with psycopg.connect(storm.admin_url) as other:
        other.execute("SELECT 1 FROM balances WHERE account_id = %s FOR UPDATE", [customer.person.account_id])
        yield
        other.rollback()


LONGER_SECONDS = 0.5  # several attempts of the till after its caller has given up
CUT = [Fate.ANSWER_LOST, Fate.ANSWER_CUT_SHORT, Fate.NEVER_ARRIVES]


@pytest.mark.parametrize("fate", CUT)
def test_an_admission_whose_commit_is_in_doubt_holds_once_and_is_sent_once(storm: Storm, fate: Fate) -> None:
    """R5, R13."""
    customer = rich_customer(storm)
    before = len(storm.billed)
    trap = storm.proxy.catch(fate)

    result = OpenCall(customer).join()

    assert trap.caught == 1
    assert result.is_whole
    assert len(storm.billed) - before == 1
    assert len(customer.rows) == 1
    assert_holds(storm, [result])


@pytest.mark.parametrize("fate", CUT)
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_settlement_whose_commit_is_in_doubt_charges_once(storm: Storm, fate: Fate, is_stream: bool) -> None:
    """R4, R13."""
    customer = rich_customer(storm)
    storm.fake.script("/chat/completions", {"delay_ms": 400})
    call = OpenCall(customer, stream=is_stream)
    wait_until(lambda: customer.holds)
    trap = storm.proxy.catch(fate)

    result = call.join()

    assert trap.caught == 1
    assert result.is_whole
    assert [row["status"] for row in customer.rows] == ["completed"]
    assert_holds(storm, [result])


@pytest.mark.parametrize("fate", CUT)
def test_commits_that_are_lost_at_random_under_load_change_no_sum(storm: Storm, fate: Fate) -> None:
    """R4, R12, R13: many operations share each of them."""
    customers = [rich_customer(storm) for _ in range(4)]
    with Buyers(customers, each=4, choose=whole_and_streamed) as buyers:
        trap = storm.proxy.catch_some(fate, 0.25, random.Random(7))
        wait_until(lambda: trap.caught >= 12 and buyers.whole >= 60)
        storm.proxy.let_all_pass()

    found = assert_holds(storm, buyers.results)

    assert {result.status for result in buyers.results} <= {200, 503}
    assert found.whole >= 60
    assert found.estimated == 0


def test_an_admission_in_doubt_is_not_forgotten_while_its_account_is_locked(own_storm: Storm) -> None:
    """R11, R13: the caller is told no while nobody knows; the hold that is there all the same is given back."""
    storm, customer = own_storm, rich_customer(own_storm)
    trap = storm.proxy.catch(Fate.ANSWER_HELD_BACK)
    call = OpenCall(customer)
    trap.await_catch()
    with locked_account(storm, customer):
        storm.proxy.cut_all()
        result = call.join()
        until = time.monotonic() + LONGER_SECONDS
        wait_until(lambda: time.monotonic() > until)

    assert result.status == 503
    wait_until(lambda: not customer.holds)
    assert [row["status"] for row in customer.rows] == ["failed"]
    assert_holds(storm, [result])
