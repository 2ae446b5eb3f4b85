"""What a prompt costs: calls that are all played one, on one media thread, whose processor time is
read."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from media._core import CALLER, Recording, Relay
from media.formats.coding import Coding
from tests.benchmark.rows import Result, Row

_HOST = "127.0.0.1"
_PACKETS_A_SECOND = 50


@dataclass(frozen=True, slots=True)
class PlayPlan:
    """So many calls are played one for so many seconds, `rounds` times; the least counts."""

    calls: int = 200
    seconds: float = 10.0
    rounds: int = 3


SHORT = PlayPlan(calls=100, seconds=2.0, rounds=1)


def measure(plan: PlayPlan, *, say: Callable[[str], None]) -> Result:
    """The processor time of a packet, and of a call that is played a prompt, as a share of a
    core."""
    runs = []
    for _ in range(plan.rounds):
        say(f"playing a prompt into {plan.calls} calls")
        runs.append(_run(plan))
    best = min(run["us_per_packet"] for run in runs)
    lost = max(run["missing"] for run in runs)
    return Result(
        [
            Row("prompt_cpu_us_per_packet", round(best, 2), "us"),
            Row("prompt_core_percent_per_call", round(best * _PACKETS_A_SECOND / 1e4, 4), "% of a core"),
            Row("prompt_packets_missing", lost, f"of {runs[0]['packets']}"),
        ],
        [{"benchmark": "playing", **run} for run in runs],
    )


def _run(plan: PlayPlan) -> dict[str, float]:
    prompt = Recording(bytes(8000 * 60), Coding.MU)
    with ExitStack() as stack:
        sink = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sink.bind((_HOST, 0))
        before = set(os.listdir("/proc/self/task"))
        relay = Relay()
        relay.start()
        stack.callback(relay.stop)
        (thread,) = set(os.listdir("/proc/self/task")) - before
        for number in range(plan.calls):
            _open(relay, number, sink.getsockname()[1])
        done = threading.Event()
        drain = threading.Thread(target=_drain, args=(sink, done))
        drain.start()
        stack.callback(drain.join)
        stack.callback(done.set)
        for number in range(plan.calls):
            relay.play(number, CALLER, 1, 0, [prompt])
        time.sleep(0.5)
        sent, spent, began = _sent(relay, plan.calls), _spent(thread), time.monotonic()
        time.sleep(plan.seconds)
        packets = _sent(relay, plan.calls) - sent
        spent, lasted = _spent(thread) - spent, time.monotonic() - began
    due = round(plan.calls * lasted * _PACKETS_A_SECOND)
    return {
        "packets": packets,
        "us_per_packet": spent / packets / 1e3,
        "missing": max(0, due - packets - plan.calls),
    }


def _open(relay: Relay, number: int, port: int) -> None:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
    for each in sockets:
        each.bind((_HOST, 0))
    relay.open_stream(number, *(each.detach() for each in sockets))
    relay.set_types(number, b"", b"", mu=b"\0")
    relay.set_peer(number, CALLER, _HOST, port, _HOST, 0, False)


def _sent(relay: Relay, calls: int) -> int:
    return sum(relay.counters(number)["caller_sent"] for number in range(calls))


def _spent(thread: str) -> int:
    """Nanoseconds that a thread has had a processor."""
    with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def _drain(sink: socket.socket, done: threading.Event) -> None:
    sink.settimeout(0.1)
    while not done.is_set():
        try:
            sink.recv(2048)
        except TimeoutError:
            continue
