"""Hardening of a process that touches card data: its environment, and its first steps.

The allocator settings must be in the environment before the interpreter starts (measured: with
Python's own allocator, or with glibc's thread cache on, a freed JSON body leaves a copy), so the
parent passes `card_environment()`.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Mapping
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_MCL_CURRENT, _MCL_FUTURE = 1, 2
_CAP_IPC_LOCK = 14  # capabilities(7)
# The process id of `tonewall run`, in the environment of what it started.
SUPERVISOR = "TONEWALL_SUPERVISOR"
# The number of the signal that ends what it has started, where it is killed; SIGTERM without.
ENDED_BY = "TONEWALL_ENDED_BY"
_ALLOCATOR = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0",
}
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "TMPDIR",
)


def plain_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: what any program needs, and `own`; nothing else of ours is handed
    on. It imports nothing from the folder that it is started in, which may be one for data."""
    given = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return given | {"PYTHONSAFEPATH": "1"} | dict(own)


def card_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The same for media and payer: with an allocator that overwrites what it frees."""
    return plain_environment(own) | _ALLOCATOR | {"PYTHONDONTWRITEBYTECODE": "1"}


def overwrites_freed_memory() -> bool:
    """Whether this process was started with the settings of `card_environment`."""
    return all(os.environ.get(name) == value for name, value in _ALLOCATOR.items())


def harden() -> bool:
    """No core dumps, not dumpable, no swap. Returns whether all memory could be locked
    (RLIMIT_MEMLOCK may forbid it)."""
    libc = ctypes.CDLL(None, use_errno=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE, 0) failed")
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    # With MCL_FUTURE a limit that is too low turns later allocations into failures; lock all only
    # where nothing limits it.
    return lock_limit() is None and libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0


def lock_limit() -> int | None:
    """Bytes that this process may lock; None where nothing limits it. Being root alone is no
    reason: root of a container often has no CAP_IPC_LOCK."""
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    return None if hard == resource.RLIM_INFINITY or _has_capability(_CAP_IPC_LOCK) else hard


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def renounce_privileges() -> None:
    """Nothing that this process starts ever gains a privilege (prctl(2), PR_SET_NO_NEW_PRIVS).
    Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS) failed")


def allow_many_files() -> int:
    """Raise the limit of open files as far as we may: a call takes four sockets. Returns the
    limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def started_at(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine did: with its id it names one
    process only. None: it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(text.rpartition(")")[2].split()[19])  # proc(5), field 22


def ignore_hangup() -> None:
    """SIGHUP ends nothing: neither a terminal that closes nor whoever expects that settings are
    read again."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def end_with_parent() -> None:
    """Ask the kernel for the end when the supervisor that started us dies; without a supervisor, do
    nothing.

    Otherwise a supervisor that was killed would leave processes that hold the ports its successor
    needs. Where a successor takes up the calls, we end at once (`ENDED_BY`): in good order they
    would be hung up.
    """
    supervisor, parent = os.environ.get(SUPERVISOR), os.getppid()
    if supervisor is None:
        return
    number = int(os.environ.get(ENDED_BY) or signal.SIGTERM)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if str(parent) != supervisor or os.getppid() != parent:  # it has died meanwhile
        raise SystemExit(1)
