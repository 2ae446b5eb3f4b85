"""How much memory the media process has to lock for the captures that it carries at once.

Rule 1: no number of bytes stands here: the core says what it maps, and the vault what it wants.
"""

from __future__ import annotations

import os

from media._core import secret_bytes
from media.capture.vault import SIZE

MANY = 4096  # captures; a limit that carries so many is none


def needed(captures: int, threads: int = 1, *, decoded: bool = True) -> int:
    """Bytes for so many captures at once, spread over the threads. `decoded`: also where all are in
    a codec that the core does not know, such as Opus."""
    each = -(-captures // threads)
    page = os.sysconf("SC_PAGESIZE")
    vault = -(-SIZE // page) * page
    return threads * secret_bytes(each, each, each if decoded else 0) + captures * vault


def carried(limit: int, threads: int = 1, *, decoded: bool = True) -> int:
    """The most captures at once, MANY at most, that so many bytes are enough for."""
    low, high = 0, MANY
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if needed(middle, threads, decoded=decoded) <= limit else (low, middle - 1)
    return low
