"""Processes of a run: started, ended, and what they use of processor and memory, read from /proc (proc(5))."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.postgres.server import die_with_parent

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_SECONDS = 20


def start(command: Sequence[str], environment: Mapping[str, str], *, cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    """The command runs in a group of its own and ends when we do."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """The process and what it started have ended."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Tree:
    """A process with all its descendants."""

    def __init__(self, root: int) -> None:
        self.root = root

    def cpu_seconds(self) -> float:
        """Processor time of the tree since its start; what descendants used that have ended is in their parents' account."""
        return sum(sum(map(int, fields[11:15])) for fields in self._stats().values()) / TICKS_PER_SECOND

    def resident_mib(self) -> float:
        """Resident memory, shared pages counted once for each process."""
        return sum(int(fields[21]) for fields in self._stats().values()) * PAGE_BYTES / 2**20

    def _stats(self) -> dict[int, list[str]]:
        """Fields of /proc/PID/stat from the third on, for every process of the tree."""
        everything = {pid: fields for pid in _pids() if (fields := _stat(pid))}
        members = {self.root: everything[self.root]} if self.root in everything else {}
        for pid in sorted(everything):
            chain = [pid]
            while chain[-1] in everything and chain[-1] not in members:
                chain.append(int(everything[chain[-1]][1]))
            if chain[-1] in members:
                members |= {member: everything[member] for member in chain}
        return members


def machine_seconds() -> float:
    """Processor time that anything used on this machine since it started, what the host took away included (steal)."""
    user, nice, system, _, _, interrupts, soft, steal = map(int, Path("/proc/stat").read_text(encoding="ascii").split()[1:9])
    return (user + nice + system + interrupts + soft + steal) / TICKS_PER_SECOND


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _stat(pid: int) -> list[str]:
    """Empty for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
