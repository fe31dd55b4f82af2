"""`python -m tests.bounds [--minutes N] [--only NAME]`: prints what each misbehaviour did to the neighbour and to the server."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from flask_migrate import upgrade

from config.postgres import find_binaries, temporary
from tests.bounds.attacker import MISBEHAVIOURS
from tests.bounds.dose import ADDED_P99_MS, lasting
from tests.bounds.neighbour import percentile
from tests.bounds.stage import LIMITED, Finding, open_stage
from tests.deployment import Cluster, running_app, settings_over
from tests.servers import ROOT

TITLES = (
    f"{'misbehaviour':32} {'alone p50':>9} {'p99':>7} {'meanwhile p50':>13} {'p99':>7} {'machine':>7} "
    f"{'MiB start':>9} {'peak':>6} {'end':>6} died holds  calm answers"
)


def problems_of(finding: Finding) -> list[str]:
    """What must not be: one sentence each."""
    problems = list(finding.problems[:5])
    if finding.added_p99 > ADDED_P99_MS:
        problems.append(f"the neighbour's p99 rose by {finding.added_p99:.0f} ms")
    if finding.died or finding.holds_left:
        problems.append(f"{finding.died} processes died, {finding.holds_left} holds are left")
    if finding.statuses["connected"] < 2:
        problems.append("nobody misbehaved")
    return problems


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog="python -m tests.bounds", description="One misbehaves, the neighbour is timed.")
    parser.add_argument("--minutes", type=float, default=5.0, help="for all misbehaviours together")
    parser.add_argument("--only", action="append", choices=sorted(MISBEHAVIOURS), help="one misbehaviour; may be repeated")
    asked = parser.parse_args()
    names = asked.only or list(MISBEHAVIOURS)
    dose = lasting(asked.minutes, len(names))
    failed = 0
    with tempfile.TemporaryDirectory(prefix="reseller-bounds-") as folder, temporary(find_binaries()[0]) as running:
        with running_app(settings_over(running.url, Path(folder))) as app, app.app_context():
            upgrade(directory=str(ROOT / "migrations"))
        with open_stage(Cluster(running.url, running.admin_url), Path(folder)) as stage:
            print(TITLES)
            for name in names:
                finding = stage.show(name, dose, limits=name in LIMITED)
                wrong = problems_of(finding)
                failed += bool(wrong)
                print(line_of(finding), flush=True)
                for problem in wrong:
                    print(f"WRONG: {name}: {problem}", flush=True)
    return min(failed, 1)


def line_of(finding: Finding) -> str:
    alone, meanwhile = finding.alone.calls, finding.meanwhile.calls
    answers = " ".join(f"{status}×{count}" for status, count in sorted(finding.statuses.items()))
    return (
        f"{finding.name:32} {percentile(alone, 50):9.1f} {percentile(alone, 99):7.1f} {percentile(meanwhile, 50):13.1f} "
        f"{percentile(meanwhile, 99):7.1f} {finding.machine_p99:7.1f} {finding.resident_start:9.0f} {finding.resident_peak:6.0f} "
        f"{finding.resident_after_round[-1]:6.0f} {finding.died:4} {finding.holds_left:5} {finding.calm_after:5.1f} {answers}"
        + (f"  neighbour: {len(finding.problems)} × {finding.problems[0]}" if finding.problems else "")
    )


if __name__ == "__main__":
    raise SystemExit(main())
