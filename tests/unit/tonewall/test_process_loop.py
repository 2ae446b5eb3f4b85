"""A process whose coroutine has ended, and which is signalled again while it closes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tonewall.process_loop import run_process


async def end_at_once() -> str:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, int)
    return "over"


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is raised where nobody can take it, with a SIGTERM at the worst moment."""
    found: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: found.append(repr(raised.exc_value)))
    close = BaseSelectorEventLoop._close_self_pipe

    def close_and_signal(loop: BaseSelectorEventLoop) -> None:
        close(loop)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(BaseSelectorEventLoop, "_close_self_pipe", close_and_signal)
    return found


@pytest.mark.parametrize(("run", "faults"), [(run_process, 0), (asyncio.run, 1)])
def test_a_signal_while_the_loop_closes_is_written_nowhere(
    complaints: list[str], run: Callable[[Coroutine[Any, Any, str]], str], faults: int
) -> None:
    assert run(end_at_once()) == "over"
    assert len(complaints) == faults, complaints
    assert signal.set_wakeup_fd(-1) == -1
