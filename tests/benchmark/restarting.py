"""Measures how long SIP is not answered after kill -9 of b2bua, with a spare and without.

Rule 1: the time runs from the signal to the first 200 to an OPTIONS that was sent after it; one is
        sent every 5 ms. Each is answered once, or it counts as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.rows import Result, Row
from tests.stack import Stack, running, until
from tests.wire.sip_peer import HOST, SipPeer

FIGURES = "first_answer_after_kill_ms", "first_answer_after_kill_no_spare_ms", "requests_lost_by_kill"
_EVERY = 0.005  # seconds
_CALM = 2.0  # seconds that a b2bua is left alone: its spare is started, and ready


@dataclass(frozen=True, slots=True)
class RestartPlan:
    """`kills`: how often b2bua is killed, with a spare and again without."""

    kills: int = 10


SHORT = RestartPlan(kills=3)


def measure(plan: RestartPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows of FIGURES; of the times the median."""
    rows, runs, lost = [], [], 0
    for name, spare in zip(FIGURES[:2], ("yes", "no"), strict=True):
        say(f"b2bua killed, spare = {spare}")
        with tempfile.TemporaryDirectory() as directory:
            times, missing = asyncio.run(_kill_often(plan.kills, spare, Path(directory)))
        rows.append(Row(name, round(statistics.median(times), 1), "ms"))
        runs.append({"benchmark": "restart", "spare": spare, "times_ms": times})
        lost += missing
    return Result([*rows, Row(FIGURES[2], lost, "requests")], runs)


async def _kill_often(kills: int, spare: str, directory: Path) -> tuple[list[float], int]:
    """Milliseconds of each kill, and how many requests were not answered."""
    with contextlib.closing(SipPeer()) as carrier, contextlib.closing(SipPeer()) as pbx:
        stack = Stack(directory, carrier.port, pbx.port, extra={"general": {"spare": spare}})
        async with running(stack):
            pbx.engine = (HOST, stack.sip_port)
            found = [await _kill(stack, pbx) for _ in range(kills)]
    return [each for each, _ in found], sum(lost for _, lost in found)


async def _kill(stack: Stack, pbx: SipPeer) -> tuple[float, int]:
    [pid] = stack.pids()["b2bua"]
    # No sign shows that the spare has loaded all, and none that it is idle.
    await asyncio.sleep(2 * _CALM)
    sent: list[str] = []

    async def ask() -> None:
        while True:
            sent.append(request := pbx.request("OPTIONS", cseq=len(sent) + 1))
            pbx.send(request)
            await asyncio.sleep(_EVERY)

    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    asking = asyncio.create_task(ask())
    await pbx.hear("200", 60.0)
    passed = round((time.monotonic() - began) * 1000, 1)
    asking.cancel()
    answers = 1
    with contextlib.suppress(TimeoutError):
        while answers < len(sent):
            await pbx.hear("200", 5.0)
            answers += 1
    await stack.await_restart(pid)
    await until(lambda: stack.pids()["b2bua"], "b2bua")
    return passed, len(sent) - answers
