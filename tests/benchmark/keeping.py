"""Measures what it costs to keep each call in a slot: two Tonewalls, one of which keeps none, carry
the same calls in turn.

Rule 1: both are up all the time, and are loaded one after the other, round by round. The figure is
        the median of the rounds' differences, of the CPU time of b2bua alone.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.b2buas import Tonewall, free_ports
from tests.benchmark.machine import BenchmarkError, allow_many_files, usage
from tests.benchmark.rows import Result, Row
from tests.benchmark.sip_load import Load, SippCallers, sipp

FIGURES = "kept_call_cpu_us", "kept_call_cpu_percent"
_WARM_UP = Load(calls=50, rate=50)


@dataclass(frozen=True, slots=True)
class KeepPlan:
    """`calls` calls of `hold` seconds a round, `rate` of them a second begin; `settle`: seconds in
    which what they leave is still counted."""

    rounds: int = 8
    calls: int = 500
    rate: int = 100
    hold: float = 1.0
    settle: float = 1.0


SHORT = KeepPlan(rounds=3, calls=200)


def measure(plan: KeepPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows of FIGURES: what a call costs b2bua more, in microseconds, and in hundredths of what
    it costs where none is kept."""
    allow_many_files()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tonewall-keeping-")))
        both = [
            _Loaded(Tonewall(_made(directory / name), module=module), stack)
            for name, module in (("kept", None), ("unkept", "tests.benchmark.unkept"))
        ]
        rounds: list[tuple[float, float]] = []
        for turn in range(plan.rounds):
            say(f"calls kept and not, round {turn + 1} of {plan.rounds}")
            kept, unkept = (each.cost(plan) for each in both)
            rounds.append((kept, unkept))
    more = statistics.median(kept - unkept for kept, unkept in rounds)
    whole = statistics.median(unkept for _, unkept in rounds)
    return Result(
        [Row(FIGURES[0], round(more * 1e6, 1), "us"), Row(FIGURES[1], round(more / whole * 100, 1), "%")],
        [{"benchmark": "kept", "kept_ms": kept * 1e3, "unkept_ms": none * 1e3} for kept, none in rounds],
    )


class _Loaded:
    """One Tonewall with its phones, until the stack is closed."""

    def __init__(self, program: Tonewall, stack: ExitStack) -> None:
        ports = free_ports()
        stack.callback(program.stop)
        program.start(ports)
        self._phones: SippCallers = stack.enter_context(sipp(ports))
        self._pids = program.signalling()
        self._phones.call(_WARM_UP).finish()

    def cost(self, plan: KeepPlan) -> float:
        """Seconds of CPU time that b2bua takes a call."""
        before = usage(self._pids)
        failed = self._phones.call(Load(plan.calls, plan.rate, hold=plan.hold)).finish()
        time.sleep(plan.settle)  # not a wait for a condition: the span that is measured
        if failed:
            raise BenchmarkError(f"{failed} of {plan.calls} calls failed")
        return usage(self._pids).since(before).ran / plan.calls


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
