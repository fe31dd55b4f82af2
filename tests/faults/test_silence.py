"""The database falls silent without closing a connection: nobody waits for ever, and every hold ends (R11, R13)."""

from tests.faults.clients import OpenCall, asking, buy
from tests.faults.evidence import assert_holds
from tests.faults.storm import PROCESSES, Storm, rich_customer
from tests.shop import Customer, in_threads
from tests.waiting import wait_until

AT_ONCE_SECONDS = 3.0  # R13
ANSWERS_LATE = {"delay_ms": 1000, "tokens": 20, "pause_ms": 50}
FOUND_AGAIN_SECONDS = 20.0
FRESH_SECONDS = 10


def calls_in_every_process(storm: Storm, customer: Customer) -> list[OpenCall]:
    """Calls whose answers end in two seconds, whole and streamed, in each web process."""
    storm.fake.plans["late"] = ANSWERS_LATE
    calls: list[OpenCall] = []

    def are_everywhere() -> bool:
        calls.extend(OpenCall(customer, stream=is_stream, **asking("late")) for is_stream in (True, False))
        wait_until(lambda: len(customer.holds) == len(calls))
        return len({hold["process_id"] for hold in customer.holds}) == PROCESSES

    wait_until(are_everywhere)
    return calls


def test_a_pause_of_the_database_is_waited_out(storm: Storm) -> None:
    """R13: answers end, their charges land afterwards; new calls are refused at once and reach no upstream."""
    customer = rich_customer(storm)
    running = calls_in_every_process(storm, customer)
    sent = len(storm.billed)

    storm.proxy.fall_silent()
    refused = in_threads(6, lambda _: buy(customer))
    finished = [call.join() for call in running]
    sent_meanwhile = len(storm.billed) - sent
    storm.proxy.pass_on()

    assert [(result.status, result.seconds < AT_ONCE_SECONDS) for result in refused] == [(503, True)] * 6
    assert [result.is_whole for result in finished] == [True] * len(running)
    assert sent_meanwhile == 0
    found = assert_holds(storm, [*refused, *finished])
    assert found.estimated == 0


def test_a_key_that_a_process_has_not_seen_is_refused_at_once_too(storm: Storm) -> None:
    """R13: it is looked up in the database."""
    stranger = storm.customer()
    storm.proxy.fall_silent()
    call = OpenCall(stranger)

    result = call.join(AT_ONCE_SECONDS * 2)
    logged = (storm.folder / "web.log").read_text()

    assert (result.status, result.seconds < AT_ONCE_SECONDS) == (503, True)
    assert '"event":"call_without_database"' in logged
    assert '"event":"request_failed"' not in logged, "no error of ours"


def test_connections_that_stay_silent_for_ever_are_given_up_and_everything_ends(own_storm: Storm) -> None:
    """R11, R13: the database has moved away and nobody said so, as when its host lost power."""
    storm = own_storm
    customer = rich_customer(storm)
    running = calls_in_every_process(storm, customer)

    storm.proxy.fall_silent()
    finished = [call.join() for call in running]
    storm.proxy.pass_on(revives=False)

    wait_until(lambda: {buy(customer).status for _ in range(8)} == {200}, FOUND_AGAIN_SECONDS)
    wait_until(lambda: fresh_hearts(storm) == PROCESSES + 1, FOUND_AGAIN_SECONDS)
    assert [result.is_whole for result in finished] == [True] * len(running)
    assert assert_holds(storm, finished).statuses["voided"] == 0


def fresh_hearts(storm: Storm) -> int:
    """How many processes have said lately that they live."""
    return len(storm.query("SELECT id FROM processes WHERE beat_at > now() - make_interval(secs => %s)", FRESH_SECONDS))
