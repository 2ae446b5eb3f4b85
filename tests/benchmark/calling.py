"""What a call costs in signalling, and what an idle call keeps in memory: the same sipp load through each B2BUA in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .b2buas import B2bua, SippySimple, Tonewall, free_ports
from .machine import BUILD, BenchmarkError, MissingPeerError, allow_many_files, memory_kb, stolen_seconds, usage
from .rows import Result, compare
from .sip_load import Load, sipp

Say = Callable[[str], None]
_TOO_MANY_FAILED = 0.05


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Calls without hold, so many a second, after a warm-up; `rounds` of all programs in turn.

    `settle`: seconds after the last call in which what it leaves to do is still counted.
    """

    rounds: int = 3
    calls: int = 200
    rate: int = 20
    settle: float = 2.0


@dataclass(frozen=True, slots=True)
class IdlePlan:
    """Calls that are held. Memory is read `settle` seconds after the last was answered.

    Timers L and M of RFC 6026 keep an INVITE transaction for 32 s after its 2xx: only then is a call idle.
    """

    calls: int = 400
    rate: int = 40
    settle: float = 35.0


SHORT_CALLS = CallPlan(rounds=2, calls=60, settle=0.5)
SHORT_IDLE = IdlePlan(calls=120, settle=2.0)
_WARM_UP = Load(calls=10, rate=20)


def measure_calls(plan: CallPlan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The row `b2bua_cpu_ms_per_call`."""

    def one(program: B2bua) -> dict[str, Any]:
        return one_run(program, plan)

    runs, notes = _in_turn("b2bua", one, plan.rounds, peers, say)
    return Result(
        [compare("b2bua_cpu_ms_per_call", "ms", "cpu_ms_per_call", runs, Tonewall.name, SippySimple.name)], runs, notes
    )


def measure_idle(plan: IdlePlan, peers: bool = True, say: Say = lambda _: None) -> Result:
    """The row `idle_call_kb`, in KiB."""

    def one(program: B2bua) -> dict[str, Any]:
        return one_idle_run(program, plan)

    runs, notes = _in_turn("idle", one, 1, peers, say)
    return Result([compare("idle_call_kb", "KiB", "idle_call_kb", runs, Tonewall.name, SippySimple.name)], runs, notes)


def one_run(program: B2bua, plan: CallPlan) -> dict[str, Any]:
    """Start the program, load it with calls, stop it. CPU time a call is over calls that completed."""
    ports = free_ports()
    try:
        program.start(ports)
        with sipp(ports) as phones:
            phones.call(_WARM_UP).finish()
            stolen, before = stolen_seconds(), usage(program.pids())
            load = Load(plan.calls, plan.rate)
            failed = phones.call(load).finish()
            time.sleep(plan.settle)  # not a wait for a condition: the span that is measured
            used, stolen = usage(program.pids()).since(before), stolen_seconds() - stolen
    finally:
        program.stop()
    return {
        "calls": plan.calls,
        "failed": _few(failed, plan.calls, program.name),
        "cpu_ms_per_call": used.ran * 1e3 / (plan.calls - failed),
        "disturbed": round((used.waited + stolen) / (load.ramp + plan.settle), 4),
    }


def one_idle_run(program: B2bua, plan: IdlePlan) -> dict[str, Any]:
    """Start the program, hold calls, compare its memory with what it had after a few calls that have ended."""
    ports = free_ports()
    load = Load(plan.calls, plan.rate, hold=plan.calls / plan.rate + plan.settle + 3)
    try:
        program.start(ports)
        with sipp(ports) as phones:
            phones.call(_WARM_UP).finish()
            before = memory_kb(program.pids())
            held = phones.call(load)
            time.sleep(load.ramp + plan.settle)  # the span that the plan asks for
            after, processes = memory_kb(program.pids()), len(program.pids())
            failed = held.finish()
    finally:
        program.stop()
    return {
        "calls": plan.calls,
        "failed": _few(failed, plan.calls, program.name),
        "processes": processes,
        "base_kb": before,
        "held_kb": after,
        "disturbed": 0.0,  # memory does not depend on who else runs
        "idle_call_kb": (after - before) / (plan.calls - failed),
    }


def _in_turn(
    benchmark: str, one: Callable[[B2bua], dict[str, Any]], rounds: int, peers: bool, say: Say
) -> tuple[list[dict[str, Any]], list[str]]:
    allow_many_files()
    BUILD.mkdir(parents=True, exist_ok=True)
    programs: list[B2bua] = [Tonewall(BUILD)]
    if peers:
        programs.append(SippySimple(BUILD))
    runs: list[dict[str, Any]] = []
    notes: list[str] = []
    for turn in range(rounds):
        for program in list(programs):
            say(f"{benchmark}: {program.name}, run {turn + 1} of {rounds}")
            try:
                runs.append({"benchmark": benchmark, "program": program.name} | one(program))
            except MissingPeerError as missing:
                notes.append(str(missing))
                programs.remove(program)
            except BenchmarkError as error:
                notes.append(f"{benchmark}: {program.name}: {error}")
                programs.remove(program)
    return runs, notes + [f"{run['program']}: {run['failed']} calls failed in a run" for run in runs if run["failed"]]


def _few(failed: int, calls: int, name: str) -> int:
    if failed > calls * _TOO_MANY_FAILED:
        raise BenchmarkError(f"{failed} of {calls} calls through {name} failed")
    return failed
