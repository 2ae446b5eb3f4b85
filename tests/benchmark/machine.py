"""The machine as a benchmark needs it: fixed cores, no halting, CPU time and memory of a process
and its children.

Rule 1: load runs on LOAD_CORE, what is measured on SUBJECT_CORE, where there are two cores.
Rule 2: CPU time is read from schedstat (nanoseconds); utime and stime are ticks of 10 ms.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"
LOAD_CORE, SUBJECT_CORE = 0, 1


class BenchmarkError(Exception):
    """A measurement could not be made; the text says why and what to do."""


class MissingPeerError(BenchmarkError):
    """The program to compare with is not installed; the text says what to install."""


def pinned(core: int, command: Iterable[str]) -> list[str]:
    """The command, kept to one core; unchanged where the machine has only one."""
    pin = [] if len(os.sched_getaffinity(0)) < 2 else ["taskset", "-c", str(core)]
    return [*pin, *command]


def compiled(name: str) -> Path:
    """The load generator `name`, built from its C file if that is newer. Raises BenchmarkError."""
    source, program = Path(__file__).with_name(f"{name}.c"), BUILD / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        # Two runs at once must not see half a program.
        fresh = program.with_suffix(f".{os.getpid()}")
        try:
            subprocess.run(["cc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", fresh, source], check=True)
        except FileNotFoundError:
            raise BenchmarkError("no C compiler; install one: apt-get install gcc libc6-dev") from None
        except subprocess.CalledProcessError:
            raise BenchmarkError(f"{source.name} did not compile") from None
        fresh.replace(program)
    return program


@contextmanager
def awake() -> Iterator[None]:
    """Keep the cores from halting, by loops of the lowest priority that give way to everything
    else."""
    spin = compiled("spin")
    cores = sorted(os.sched_getaffinity(0) & {LOAD_CORE, SUBJECT_CORE})
    spinners = [subprocess.Popen([spin, str(core)]) for core in cores]
    try:
        yield
    finally:
        for spinner in spinners:
            stop(spinner)


def stop(process: subprocess.Popen[str] | subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """Ask the process to end and wait; kill it where it does not."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def allow_many_files(wanted: int = 0) -> int:
    """Raise this process's limit of open files, which children inherit, as far as it may be raised;
    returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = max(hard, wanted)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (more, more))
    except (ValueError, OSError):  # only who has CAP_SYS_RESOURCE may go above the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def family(pid: int) -> list[int]:
    """The process and all that descend from it, now; without those that end by themselves."""
    members = [pid]
    for parent in members:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                members += [int(child) for child in children.read_text().split()]
            except OSError:  # that thread has just ended
                continue
    return [member for member in members if not _compares_files(member)]


def _compares_files(pid: int) -> bool:
    """Whether a process is the short one that compares installed files as b2bua starts."""
    try:
        return b"tonewall.file_check" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return True


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds that threads ran, and that they were ready to run but something else had their
    core."""

    ran: float
    waited: float

    def since(self, before: Usage) -> Usage:
        return Usage(self.ran - before.ran, self.waited - before.waited)


def usage(pids: Iterable[int]) -> Usage:
    """What the processes' threads have used so far. A thread that has ended is no longer
    counted."""
    ran = waited = 0
    for pid in pids:
        for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                each = schedstat.read_text().split()
            except OSError:
                continue
            ran, waited = ran + int(each[0]), waited + int(each[1])
    return Usage(ran / 1e9, waited / 1e9)


def memory_kb(pids: Iterable[int]) -> int:
    """Memory that the processes have for themselves and have written to, together, in KiB; the
    kernel's own is not in it.

    Not Pss: a process's share of Python's own pages changes with every other Python that starts or
    ends on the machine. Where that may not be read (a process that is not dumpable shows it to root
    only), RSS.
    """
    pids = list(pids)
    try:
        return sum(_field(Path(f"/proc/{pid}/smaps_rollup"), "Private_Dirty") for pid in pids)
    except PermissionError:
        return sum(_field(Path(f"/proc/{pid}/status"), "VmRSS") for pid in pids)


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def descriptors(pids: Iterable[int]) -> int:
    """How many files the processes have open."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def stolen_seconds() -> float:
    """Seconds that the hypervisor has taken from this machine since it booted, all cores
    together."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")


def description() -> str:
    """One line: processor, cores, kernel."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    model = models[0].split(":", 1)[1].strip() if models else platform.machine()
    hypervisor = "virtual" if "hypervisor" in Path("/proc/cpuinfo").read_text() else "not virtual"
    return f"{model}, {os.cpu_count()} cores, {hypervisor}, Linux {platform.release()}"
