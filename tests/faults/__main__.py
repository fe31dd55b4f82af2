"""`python -m tests.faults --minutes N [--seed S] [--without KIND …] [--back-seconds N]`: faults at random for N minutes, then the evidence.

Prints what it does as it goes, the seed first. Exit 1 if anything is off: a nano-dollar, an open call, a service that did not come back.
"""

import argparse
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from reseller.money import format_nano
from tests.faults.at_random import Outcome, Plan, UnknownFault, run
from tests.faults.chaos import BACK_SECONDS


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also for a shell that starts us in the background
    seed = asked.seed if asked.seed is not None else secrets.randbelow(10**6)
    print(f"seed {seed}", flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="reseller-faults-") as folder:
            outcome = run(Path(folder), Plan(asked.minutes, seed, frozenset(asked.without), asked.back_seconds), _tell)
    except UnknownFault as error:
        print(error)
        return 2
    except KeyboardInterrupt:
        print("interrupted; everything is stopped")
        return 130
    _print(outcome)
    for problem in outcome.problems:
        print(f"WRONG: {problem}")
    return 1 if outcome.problems else 0


def _print(outcome: Outcome) -> None:
    found = outcome.found
    for kind, count in sorted(outcome.chaos.done.items()):
        print(f"{count:8} × {kind}")
    print(f"{outcome.hang_ups.count:8} × hang-up")
    for kind, count in sorted(outcome.dealings.done.items()):
        print(f"{count:8} × {kind}")
    print(f"books looked at       {outcome.watch.looks:10}  times; {outcome.watch.blinks} times the database showed nothing")
    print(f"calls in the books    {found.calls:10}  {dict(sorted(found.statuses.items()))}")
    print(f"whole answers         {found.whole:10}")
    print(f"of them without cost  {found.unsaid:10}  and void: the database did not answer, and then their process was killed")
    print(f"charged calls         {found.charged_calls:10}  of them estimated {found.estimated}")
    print(f"charges            $ {format_nano(found.charged_nano)}")
    print(f"bills and markup   $ {format_nano(found.due_nano)}")
    print(f"difference         $ {format_nano(found.difference_nano)}")
    slowest = max((result.seconds for result in outcome.received if result.status == 503), default=0.0)
    print(f"slowest refusal       {slowest:10.1f} s")
    print(f"bills of nobody       {len(found.unpaid):10}  calls of killed processes, and those estimated before they had an id")
    print(f"flask ledger verify   {outcome.proof}")


def _tell(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults at random, and what must hold afterwards.")
    parser.add_argument("--minutes", type=float, default=2, help="how long faults go on")
    parser.add_argument("--seed", type=int, help="the faults and calls of an earlier run")
    parser.add_argument("--without", nargs="*", default=[], metavar="KIND", help="kinds of faults to leave out")
    parser.add_argument("--back-seconds", type=float, default=BACK_SECONDS, help="until when there must be answers again after a fault")
    return parser


if __name__ == "__main__":
    sys.exit(main())
