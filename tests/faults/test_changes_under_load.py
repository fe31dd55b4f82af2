"""Everything about an account is changed while it is used: grants, limits, keys, its state. The sums stay exact (R1, R3, R22)."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from reseller.clock import now
from reseller.domain import accounts, keys
from reseller.domain.keys import SpendPeriod
from tests import factories
from tests.faults.clients import Buyers
from tests.faults.evidence import assert_holds
from tests.faults.storm import Storm, grant
from tests.shop import Customer
from tests.waiting import wait_until

SMALL = ("fake/default", {"max_tokens": 16})
KEY_LIMIT = Decimal("0.0008")
GRANTS, GRANTED, TAKEN = 8, "0.0015", "-0.0001"
EFFECTIVE = timedelta(seconds=1)  # R22


def small_calls(number: int) -> tuple[str, dict[str, Any]]:
    model, more = SMALL
    return model, {**more, "stream": number % 2 == 0}


class Lowest:
    """The least that settled − held ever was, looked at as often as can be."""

    def __init__(self, storm: Storm, customer: Customer) -> None:
        self.nano, self.looks = 10**30, 0
        self._storm, self._customer = storm, customer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            self.nano = min(self.nano, self._customer.books.available_nano)
            self.looks += 1

    def __enter__(self) -> "Lowest":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(10)


def another_key(storm: Storm, customer: Customer, **terms: Any) -> Customer:
    """The same customer with one more key."""
    with storm.at_work():
        return replace(customer, key=factories.make_key(customer.person, **terms))


def let_in_between(customer: Customer, start: Any, end: Any, *, key: str | None = None) -> list[dict[str, Any]]:
    """Calls that came in then and were not refused; with `key`, those of that key."""
    sql = """SELECT u.* FROM usage_logs u JOIN api_keys k ON k.id = u.api_key_id
              WHERE u.account_id = %s AND u.created_at BETWEEN %s AND %s AND u.status <> 'refused'
                AND (%s::text IS NULL OR k.key_hash = %s)"""
    digest = keys.digest_of(key) if key else None
    return customer.shop.query(sql, customer.person.account_id, start, end, digest, digest)


def test_grants_and_limits_that_change_under_load_never_make_more_or_less_money(storm: Storm) -> None:
    """R1, R3: two web processes spend while others put in, take back and set limits."""
    customer = storm.customer(usd=GRANTED, limits=False)
    limited = another_key(storm, customer, spend=(KEY_LIMIT, SpendPeriod.LIFETIME))
    with Lowest(storm, customer) as lowest, Buyers([customer, customer, limited], each=4, choose=small_calls) as buyers:
        for number in range(GRANTS):
            before = buyers.whole
            grant(storm, customer, GRANTED)
            grant(storm, customer, TAKEN)
            with storm.at_work():
                factories.set_limits(customer.person, rpm=None if number % 3 else 10_000, concurrent=None if number % 2 else 6)
            wait_until(lambda before=before: buyers.whole > before + 20)  # type: ignore[misc]
        storm.flask("credits", "grant", customer.person.email, GRANTED, "--reason", "under load")

    assert_holds(storm, buyers.results)
    put_in = Decimal(GRANTED) * (GRANTS + 2) + Decimal(TAKEN) * GRANTS
    charged = sum(row["charge_nano"] for row in customer.rows)
    assert customer.books.settled_nano == int(put_in.scaleb(9)) - charged
    assert lowest.nano >= 0
    assert lowest.looks > 20
    [spent] = storm.query("SELECT total_nano FROM api_keys WHERE key_hash = %s", keys.digest_of(limited.key))
    assert 0 < spent["total_nano"] <= KEY_LIMIT.scaleb(9)
    assert {result.status for result in buyers.results} <= {200, 402, 403, 429}


def test_after_a_revocation_or_suspension_nothing_more_is_let_in(storm: Storm) -> None:
    """R22: in every process, for the one key and for the whole account, and the other way round."""
    customer = storm.customer(usd="50", limits=False)
    doomed = another_key(storm, customer)
    with Buyers([customer, doomed], each=6, choose=small_calls) as buyers:
        wait_until(lambda: buyers.whole > 60)
        storm.flask("keys", "revoke", str(key_id(storm, doomed)))
        revoked_at = now()
        wait_until(lambda: sum(result.status == 401 for result in list(buyers.results)) > 12)
        with storm.at_work():
            accounts.suspend(customer.person.account_id, reason="under load", actor="test")
        suspended_at = now()
        until = time.monotonic() + EFFECTIVE.total_seconds() * 3
        wait_until(lambda: time.monotonic() > until)
        restored_at = now()
        with storm.at_work():
            accounts.restore(customer.person.account_id, actor="test")
        before = buyers.whole
        wait_until(lambda: buyers.whole > before + 40)

    assert_holds(storm, buyers.results)
    assert let_in_between(customer, revoked_at + EFFECTIVE, now(), key=doomed.key) == []
    waited_for = EFFECTIVE  # who came just before the end may have been looked at after it
    assert let_in_between(customer, suspended_at + EFFECTIVE, restored_at - waited_for) == []
    assert {result.status for result in buyers.results} == {200, 401, 403}


def key_id(storm: Storm, customer: Customer) -> Any:
    [row] = storm.query("SELECT id FROM api_keys WHERE key_hash = %s", keys.digest_of(customer.key))
    return row["id"]
