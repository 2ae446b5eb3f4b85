"""Checks of this machine: locked memory, the compiled core, filters of system calls, ports,
real-time threads."""

from __future__ import annotations

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor

from b2bua.doctor.finding import Finding, fault, good, warn
from media.lock_limit import MAX_CAPTURES, bytes_needed, captures_carried
from tonewall.process import lock_limit
from tonewall.seccomp import is_supported

_AIMS = (10, 100)  # captures at once, as examples


def check_core() -> Finding:
    """The compiled core must be there, and lock memory for a card."""
    try:
        # Its absence is a finding, not a crash.
        from media._core import SecretMemory  # noqa: PLC0415
    except ImportError:
        return fault("media core", "the compiled core is missing; install with: pip install .")
    try:
        kind = SecretMemory(4096).kind
    except OSError as error:
        return fault(
            "card memory", f"no memory could be locked ({error.strerror}); raise LimitMEMLOCK, see ulimit -l"
        )
    if kind == "memfd_secret":
        return good("card memory", "memfd_secret: not readable even for root")
    return warn(
        "card memory", "mlock only; a kernel with memfd_secret (5.14, secretmem.enable=1) keeps root out too"
    )


def check_system_calls() -> Finding:
    """The kernel must have filters of system calls."""
    if is_supported():
        return good("system calls", "each process is held to a list of its own (seccomp)")
    return warn(
        "system calls", "not filtered: use a kernel with seccomp, on x86-64 or arm64; a sandbox may hide it"
    )


def check_memory_limit(threads: int, *, decoded: bool) -> Finding:
    """The captures that the limit of locked memory carries. `threads`, `decoded`: as in
    media.lock_limit.bytes_needed."""
    limit = lock_limit()
    if limit is None:
        return good("memory lock limit", "none: media and payers are locked as a whole")
    captures = captures_carried(limit, threads, decoded=decoded)
    needs = " and ".join(
        f"{aim} need {bytes_needed(aim, threads, decoded=decoded) // 1024} KiB" for aim in _AIMS
    )
    how = "set LimitMEMLOCK=infinity (systemd) or --ulimit memlock=-1 (container)"
    if not captures:
        return fault("memory lock limit", f"{limit // 1024} KiB: no card can be taken; {needs}. {how}")
    many = f"{captures} cards at once" if captures < MAX_CAPTURES else "any number of cards"
    text = f"{limit // 1024} KiB carry {many}; {needs}. Of media and payers not all is locked: {how}"
    return warn("memory lock limit", f"{text}, or switch swap off")


def check_bind(
    what: str, address: str, port: int, kind: socket.SocketKind, keys: str, ours: int | None = None
) -> Finding:
    """An address and port must be free. `port` 0: the address alone; `ours`: the process of ours
    that may have it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = f"{address} port {port}" if port else address
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if ours is not None and error.errno == errno.EADDRINUSE:
                return good(
                    what, f"{where} is in use, and the Tonewall of [general] directory runs (process {ours})"
                )
            return fault(what, f"{keys}: {where}: {error.strerror}")
    return good(what, f"{where} is free" if port else f"{where} is an address of this machine")


def check_realtime() -> Finding:
    """Threads of real-time priority must be permitted."""

    def set_priority() -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))

    with ThreadPoolExecutor(1) as thread:  # its own priority only, and it ends here
        error = thread.submit(set_priority).exception()
    if error is None:
        return good("real-time threads", "permitted")
    return warn(
        "real-time threads",
        "[media] realtime: not permitted, so media threads run as all others; set LimitRTPRIO=1 (systemd), "
        "--ulimit rtprio=1 (container), or realtime = no",
    )
