"""Calculates the limit of locked memory (RLIMIT_MEMLOCK) that captures need.

Rule 1: the core says what it maps; only a vault's size stands here, which the vault follows.
"""

from __future__ import annotations

import os

from media._core import secret_bytes

MAX_CAPTURES = 4096  # at once; a limit that carries so many is none
VAULT_BYTES = 4096  # that one capture locks for its digits


def bytes_needed(captures: int, threads: int = 1, *, decoded: bool = True) -> int:
    """Bytes of locked memory for so many captures at once, spread over the threads. `decoded`: also
    where all are in a codec of the decoder process, such as Opus."""
    each = -(-captures // threads)
    page = os.sysconf("SC_PAGESIZE")
    vault = -(-VAULT_BYTES // page) * page
    return threads * secret_bytes(each, each, each if decoded else 0) + captures * vault


def captures_carried(limit: int, threads: int = 1, *, decoded: bool = True) -> int:
    """The most captures at once, MAX_CAPTURES at most, for which `limit` bytes are enough."""
    low, high = 0, MAX_CAPTURES
    while low < high:
        middle = (low + high + 1) // 2
        if bytes_needed(middle, threads, decoded=decoded) <= limit:
            low = middle
        else:
            high = middle - 1
    return low
