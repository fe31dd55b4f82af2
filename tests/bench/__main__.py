"""`python -m tests.bench [--quick | --full] [--only SCENARIO] [--seconds N] [--rounds N]`.

Prints the machine, a table and the state of the books. Exit 1 for wrong answers or books that do not add
up, never for a slow machine.
"""

import argparse
import signal
import sys
import time
from dataclasses import replace

from reseller.money import to_usd
from tests.bench import report
from tests.bench.answers import plain
from tests.bench.books import Books, close_books
from tests.bench.killing import Killed, kill_under_load
from tests.bench.machine import Others, describe
from tests.bench.scenarios import DEFAULT, FULL, QUICK, Plan, Scenario, Tally, measure, scenarios_of, warm_up
from tests.bench.stack import running_stack

STARTED = time.monotonic()


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = _plan(asked)
    scenarios = [s for s in scenarios_of(plan) if asked.only in (None, s.name)]
    tally = Tally()
    try:
        books, killed, machine = _run(scenarios, tally)
    except RuntimeError as error:
        print(f"WRONG: {error}")
        return 1
    _print(machine, scenarios)
    problems = [*tally.problems.values(), *_print_books(books, killed)]
    for problem in problems:
        print(f"WRONG: {problem}")
    return 1 if problems else 0


def _run(scenarios: list[Scenario], tally: Tally) -> tuple[list[Books], Killed, list[str]]:
    """The scenarios have their runs, the tally its counts; the books, the killing and the machine."""
    with running_stack(with_grown=any(scenario.name == "grown" for scenario in scenarios)) as stack:
        roots = ", ".join(f"{target.name} {target.web.root}" for target in stack.targets)
        _tell(f"{roots}, PostgreSQL {stack.postgres.server.pid()} in {stack.folder}")
        machine = describe(stack.folder, stack.postgres.server.binaries.version)
        warm_up(stack, tally)
        others = Others()
        measure(stack, scenarios, tally, _tell)
        machine.append(others.share())
        books = [close_books(stack, book, tally.of(book), failed=tally.failed[book]) for book in tally.books]
        return books, kill_under_load(stack), machine


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What a paid call costs, next to a bare pass-through.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="half a minute, rough figures")
    length.add_argument("--full", action="store_true", help="more rounds, and 1,000 slow streams")
    parser.add_argument("--only", choices=[scenario.name for scenario in scenarios_of(QUICK)], help="one scenario")
    parser.add_argument("--seconds", type=float, help="length of a run of whole and burst")
    parser.add_argument("--rounds", type=int, help="rounds of whole and burst")
    return parser


def _plan(asked: argparse.Namespace) -> Plan:
    plan = QUICK if asked.quick else FULL if asked.full else DEFAULT
    return replace(plan, seconds=asked.seconds or plan.seconds, rounds=asked.rounds or plan.rounds)


def _tell(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", file=sys.stderr, flush=True)


def _print(machine: list[str], scenarios: list[Scenario]) -> None:
    print("\n".join(["", *machine, ""]))
    for line in report.table(scenarios):
        print(line)
    for scenario in scenarios:
        for line in report.added_latency(scenario):
            print(line)


def _print_books(books: list[Books], killed: Killed) -> list[str]:
    """What the books say, line by line; what is wrong with them."""
    problems = [problem for book in books for problem in book.problems]
    for book in books:
        per_call = book.commits / max(book.calls, 1)
        print(f"books: {book.calls:,} calls for ${plain(to_usd(book.charged_nano))}, {per_call:.2f} commits of any kind for each")
    print(f"kill -9 under load: {killed.whole_answers:,} whole answers, {killed.charged_calls:,} charged calls")
    if not killed.is_right:
        problems.append(f"after kill -9, answers and charges differ: {killed}")
    print("ledger: all agree" if not problems else "ledger: WRONG")
    return problems


if __name__ == "__main__":
    sys.exit(main())
