"""A shop that is used in every way while everything that can fail does, one after the other, and what must be true in the end.

Calls of every kind, hang-ups, top-ups, refunds, adjustments, revocations; kills, pauses, cuts, lost commits, clocks that jump.
Somebody looks at the books each second. With the same seed the same things are tried in the same order; how they meet is chance.
"""

import contextlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.fakes.stripe import FakeStripe
from tests.faults.chaos import BACK_SECONDS, PLANS, Chaos, HangUps, mixed_calls
from tests.faults.clients import Buyers, Received
from tests.faults.database import own_database
from tests.faults.dealings import Dealings
from tests.faults.evidence import Evidence, gather
from tests.faults.storm import grant, open_storm, rich_customer
from tests.faults.watch import Watch
from tests.servers import run_flask
from tests.system_packages import faketime

ACCOUNTS, EACH, PAUSE_SECONDS = 4, 3, 0.02
TELL_SECONDS = 5.0
QUIET_SECONDS = 120.0
POOR_GETS = "0.001"
A_CLOCK_BEHIND = timedelta(hours=2)
LEAST_SHARE_OF_LOOKS = 0.2
"""So much of the time somebody must have seen the books: a database that is stopped shows nothing."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """`without`: kinds of faults that are left out."""

    minutes: float
    seed: int
    without: frozenset[str] = frozenset()
    back_seconds: float = BACK_SECONDS
    pause_seconds: float = PAUSE_SECONDS


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done and found; `problems` in words."""

    chaos: Chaos
    hang_ups: HangUps
    dealings: Dealings
    watch: Watch
    received: list[Received]
    found: Evidence
    proof: str
    problems: list[str]


class UnknownFault(Exception):
    """The text names those that there are."""


def run(folder: Path, plan: Plan, tell: Tell) -> Outcome:
    """Everything has been tried, is over, and was looked at. Raises UnknownFault."""
    with own_database(folder) as database, FakeStripe() as stripe, contextlib.ExitStack() as stack:
        storm = stack.enter_context(open_storm(database.cluster, folder, fake_seed=plan.seed, faketime=faketime(), **stripe.settings()))
        storm.fake.plans |= PLANS
        chaos = Chaos(storm, database, random.Random(plan.seed), back_seconds=plan.back_seconds)
        kinds = _kinds(chaos, plan, tell)
        rich, poor = [rich_customer(storm, "1000") for _ in range(ACCOUNTS)], rich_customer(storm, POOR_GETS)
        with (
            Watch(storm.admin_url, tell) as watch,
            Buyers([*rich, poor], each=EACH, choose=mixed_calls(plan.seed), pause=plan.pause_seconds) as buyers,
            HangUps(rich[0], plan.seed) as hang_ups,
            Dealings(storm, stripe, rich, plan.seed) as dealings,
        ):
            until, told = time.monotonic() + plan.minutes * 60, 0.0
            while time.monotonic() < until:
                kind = chaos.strike(kinds, buyers)
                with contextlib.suppress(Exception):
                    grant(storm, poor, POOR_GETS)
                if time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    tell(f"{until - told:6.0f} s left, {len(buyers.results)} calls, {chaos.done.total()} faults, last: {kind}")
                time.sleep(chaos.dice.uniform(0, 1))
            chaos.calm()
        tell("calm; waiting for the last calls to end")
        storm.marked_at -= A_CLOCK_BEHIND
        found = gather(storm, buyers.results, quiet_seconds=QUIET_SECONDS)
        credits = dealings.settle()
        proved = run_flask("ledger", "verify", env=storm.web.environment)
        problems = [*_problems(chaos, found), *watch.problems, *dealings.problems, *credits]
        problems += [proved.stdout + proved.stderr] if proved.returncode else []
        if watch.looks < LEAST_SHARE_OF_LOOKS * plan.minutes * 60:
            problems.append(f"the books were looked at only {watch.looks} times")
        return Outcome(chaos, hang_ups, dealings, watch, buyers.results, found, proved.stdout.strip(), problems)


def _kinds(chaos: Chaos, plan: Plan, tell: Tell) -> list[str]:
    if unknown := plan.without - set(chaos.kinds):
        raise UnknownFault(f"unknown: {', '.join(unknown)}; known: {', '.join(chaos.kinds)}")
    if chaos.storm.web_clock is None:
        tell("libfaketime is not installed: clocks are not stepped")
    return [kind for kind in chaos.kinds if kind not in plan.without]


def _problems(chaos: Chaos, found: Evidence) -> list[str]:
    problems = [*chaos.problems, *found.problems]
    if found.difference_nano:
        problems.append(f"charges differ from the bills by {found.difference_nano} nano-dollars")
    whole = [bill for bill in found.unpaid if not bill["cancelled"]]
    if len(found.unpaid) > found.statuses["voided"] + found.estimated or len(whole) > found.statuses["voided"]:
        problems.append(
            f"{len(found.unpaid)} bills are nobody's ({len(whole)} of whole answers), {found.statuses['voided']} calls are void"
        )
    deaths = sum(count for kind, count in chaos.done.items() if "kill" in kind or "taken for dead" in kind)
    if found.statuses["voided"] and not deaths:
        problems.append(f"{found.statuses['voided']} calls are void although no web process was killed")
    return problems
