"""Free ports and the moment at which a program listens on one."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

# Above what tests.stack gives out, and below the media ports that a Tonewall takes by default
# (20000 on): a range for each of eight workers, given out in turn, so that neither another worker
# nor another peer nor a Tonewall takes what was given a moment ago.
_LOWEST, _EACH, _WORKERS = 14_000, 750, 8
_given = os.getpid()


async def until(condition: Callable[[], object], what: str, within: float = 10.0) -> None:
    """Wait until `condition()` is true; a TimeoutError that says `what` was awaited otherwise."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {within:g} s for {what}")
        await asyncio.sleep(0.01)


def free_ports(count: int = 1, address: str = "127.0.0.1") -> int:
    """The first (even) of `count` consecutive ports that are free now, for UDP and TCP."""
    global _given
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    lowest, highest = _LOWEST + worker * _EACH, _LOWEST + (worker + 1) * _EACH
    if count > _EACH // 2:  # more than a worker has
        lowest, highest = _LOWEST, _LOWEST + _WORKERS * _EACH
    for _ in range(500):
        first = lowest + _given % ((highest - lowest - count) // 2) * 2
        _given += (count + 1) // 2
        if all(_is_free(address, first + offset) for offset in range(count)):
            return first
    raise RuntimeError(f"no {count} consecutive free ports on {address}")


def _is_free(address: str, port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def listens(port: int, kind: str = "udp") -> bool:
    """Whether anybody on this machine has bound that port (`kind`: udp, or tcp for a listening
    socket)."""
    for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].split(":")[1], 16) == port and (kind == "udp" or fields[3] == "0A"):
            return True
    return False
