"""Runs a process's coroutine to its end, with signals that may come at any moment of it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_process(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, for a coroutine that adds signal handlers: once it has ended, a signal does
    nothing.

    The loop of CPython 3.11 closes the socket that wakes it before it removes its handlers: a
    second SIGTERM in between is written to a descriptor that is closed, or is another's by then.
    """
    with asyncio.Runner() as runner:
        try:
            return runner.run(main)
        finally:
            signal.set_wakeup_fd(-1)
