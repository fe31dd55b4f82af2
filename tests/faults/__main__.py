"""`python -m tests.faults --minutes N [--seed S] [--without KIND …]`: faults at random for N minutes, then the evidence.

Prints what it does as it goes. Exit 1 if anything is off: a nano-dollar, an open call, a service that did not come back.
"""

import argparse
import contextlib
import random
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from reseller.money import format_nano
from tests.faults.chaos import PLANS, Chaos, HangUps, mixed_calls
from tests.faults.clients import Buyers
from tests.faults.database import own_database
from tests.faults.evidence import Evidence, gather
from tests.faults.storm import grant, open_storm, rich_customer
from tests.servers import run_flask

ACCOUNTS, EACH, PAUSE_SECONDS = 4, 3, 0.02
TELL_SECONDS = 5.0
QUIET_SECONDS = 120.0
POOR_GETS = "0.001"


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also for a shell that starts us in the background
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**6)
    print(f"seed {seed}", flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="reseller-faults-") as folder:
            return _run(Path(folder), minutes=asked.minutes, seed=seed, without=set(asked.without))
    except KeyboardInterrupt:
        print("interrupted; everything is stopped")
        return 130


def _run(folder: Path, *, minutes: float, seed: int, without: set[str]) -> int:
    with own_database(folder) as database, open_storm(database.cluster, folder, fake_seed=seed) as storm:
        storm.fake.plans |= PLANS
        chaos = Chaos(storm, database, random.Random(seed))
        unknown = without - set(chaos.kinds)
        if unknown:
            print(f"unknown: {', '.join(unknown)}; known: {', '.join(chaos.kinds)}")
            return 2
        rich, poor = [rich_customer(storm, "1000") for _ in range(ACCOUNTS)], rich_customer(storm, POOR_GETS)
        with (
            Buyers([*rich, poor], each=EACH, choose=mixed_calls(seed), pause=PAUSE_SECONDS) as buyers,
            HangUps(rich[0], seed) as hang_ups,
        ):
            until, told = time.monotonic() + minutes * 60, 0.0
            kinds = [kind for kind in chaos.kinds if kind not in without]
            while time.monotonic() < until:
                kind = chaos.strike(kinds, buyers)
                with contextlib.suppress(Exception):
                    grant(storm, poor, POOR_GETS)
                if time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    _tell(f"{until - told:6.0f} s left, {len(buyers.results)} calls, {chaos.done.total()} faults, last: {kind}")
                time.sleep(chaos.dice.uniform(0, 1))
        _tell("calm; waiting for the last calls to end")
        found = gather(storm, buyers.results, quiet_seconds=QUIET_SECONDS)
        proved = run_flask("ledger", "verify", env=storm.web.environment)
        problems = _problems(chaos, found) + ([proved.stdout + proved.stderr] if proved.returncode else [])
        slowest = max((result.seconds for result in buyers.results if result.status == 503), default=0.0)
        _print(chaos, hang_ups, found, slowest)
        print(f"flask ledger verify   {proved.stdout.strip()}")
        for problem in problems:
            print(f"WRONG: {problem}")
        return 1 if problems else 0


def _problems(chaos: Chaos, found: Evidence) -> list[str]:
    problems = [*chaos.problems, *found.problems]
    if found.difference_nano:
        problems.append(f"charges differ from the bills by {found.difference_nano} nano-dollars")
    whole = [bill for bill in found.unpaid if not bill["cancelled"]]
    if len(found.unpaid) > found.statuses["voided"] + found.estimated or len(whole) > found.statuses["voided"]:
        problems.append(
            f"{len(found.unpaid)} bills are nobody's ({len(whole)} of whole answers), {found.statuses['voided']} calls are void"
        )
    kills = sum(count for kind, count in chaos.done.items() if "web" in kind)
    if found.statuses["voided"] and not kills:
        problems.append(f"{found.statuses['voided']} calls are void although no web process was killed")
    return problems


def _print(chaos: Chaos, hang_ups: HangUps, found: Evidence, slowest: float) -> None:
    for kind, count in sorted(chaos.done.items()):
        print(f"{count:8} × {kind}")
    print(f"{hang_ups.count:8} × hang-up")
    print(f"calls in the books    {found.calls:10}  {dict(sorted(found.statuses.items()))}")
    print(f"whole answers         {found.whole:10}")
    print(f"charged calls         {found.charged_calls:10}  of them estimated {found.estimated}")
    print(f"charges            $ {format_nano(found.charged_nano)}")
    print(f"bills and markup   $ {format_nano(found.due_nano)}")
    print(f"difference         $ {format_nano(found.difference_nano)}")
    print(f"slowest refusal       {slowest:10.1f} s")
    print(f"bills of nobody       {len(found.unpaid):10}  calls of killed processes, and those estimated before they had an id")


def _tell(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults at random, and what must hold afterwards.")
    parser.add_argument("--minutes", type=float, default=2, help="how long faults go on")
    parser.add_argument("--seed", type=int, help="the faults and calls of an earlier run")
    parser.add_argument("--without", nargs="*", default=[], metavar="KIND", help="kinds of faults to leave out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
