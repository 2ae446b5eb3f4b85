"""Measures the gap that kill -9 of media leaves in the audio of calls, with a spare.

Rule 1: the customer of each call sends a packet every 20 ms; the gap of a call is the longest time
        without one at its agent, from the signal on.
Rule 2: b2bua is played: it connects again at once, and claims all sessions in one piece.
Rule 3: of what waited meanwhile nothing is to come at once: counted is what one agent got within
        5 ms behind its gap, beyond the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import selectors
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from media.events import (
    ClaimedLeg,
    ClaimSession,
    OpenSession,
    SessionClaimed,
    SessionId,
    SessionOpened,
    SetRemote,
    Side,
)
from media.formats.rtp import Rtp, Ssrc, serialise
from media.stream_description import RemoteStream
from tests.benchmark.machine import allow_many_files
from tests.benchmark.rows import Result, Row
from tests.media_processes import MediaProcesses, media_running
from tests.unit.media.service.b2bua import B2bua, connected
from tonewall.frames import pack

_PACKET = 0.02  # seconds
_AT_ONCE = 0.005  # seconds
# Seconds before and after a kill: no sign shows that the spare has loaded all.
_CALM = 3.0
_FORK = multiprocessing.get_context("fork")
FEW, MANY = 20, 200  # calls
FIGURES = f"media_gap_p99_ms_{FEW}_calls", f"media_gap_p99_ms_{MANY}_calls", "media_burst_packets"


@dataclass(frozen=True, slots=True)
class MediaRestartPlan:
    """`kills`: how often media is killed, for each number of calls."""

    calls: tuple[int, int] = (FEW, MANY)
    kills: int = 10


SHORT = MediaRestartPlan(kills=2)


@dataclass(slots=True)
class _Call:
    """One session, its peers' sockets, and when a packet came to the agent."""

    session: SessionId
    customer: socket.socket
    agent: socket.socket
    port: int = 0  # where the customer sends
    arrivals: list[float] = field(default_factory=list)

    def claim(self) -> ClaimSession:
        legs = (ClaimedLeg(streams=(_remote(each),)) for each in (self.customer, self.agent))
        caller, agent = legs
        return ClaimSession(session=self.session, streams=1, caller=caller, agent=agent)

    def gap(self, began: float) -> tuple[float, int]:
        """The longest gap from then on, in seconds, and how many packets came at once behind it."""
        times = [each for each in self.arrivals if began - 2 * _PACKET <= each <= began + _CALM]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        longest = max(range(len(gaps)), key=gaps.__getitem__)
        behind = times[longest + 1]
        return gaps[longest], sum(behind < each <= behind + _AT_ONCE for each in times)


def measure(plan: MediaRestartPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows of FIGURES: p99 of all calls of all kills, and the most packets at once."""
    allow_many_files()
    rows, runs, burst = [], [], 0
    for name, calls in zip(FIGURES[:2], plan.calls, strict=True):
        say(f"media killed under {calls} calls")
        with tempfile.TemporaryDirectory() as directory:
            found = asyncio.run(_kill_often(calls, plan.kills, Path(directory)))
        gaps = sorted(gap for gap, _ in found)
        burst = max(burst, *(count for _, count in found))
        p99 = gaps[min(len(gaps) - 1, round(0.99 * len(gaps)))]
        rows.append(Row(name, round(1000 * p99, 1), "ms"))
        median = round(1000 * statistics.median(gaps), 1)
        runs.append(
            {
                "benchmark": "media-restart",
                "calls": calls,
                "median_ms": median,
                "longest_ms": round(1000 * gaps[-1], 1),
            }
        )
    return Result([*rows, Row(FIGURES[2], burst, "packets")], runs)


async def _kill_often(count: int, kills: int, directory: Path) -> list[tuple[float, int]]:
    began: list[float] = []
    async with media_running(directory) as media:
        with _sockets(count) as calls:
            async with connected(media.path) as b2bua:
                for call in calls:
                    await _open(b2bua, call)
            with _talking(calls):
                for _ in range(kills):
                    await media.has_spare()
                    await asyncio.sleep(_CALM)
                    began.append(time.monotonic())
                    await _kill(media, calls)
                    await asyncio.sleep(_CALM)
    return [call.gap(at) for at in began for call in calls]


async def _open(b2bua: B2bua, call: _Call) -> None:
    opened = await b2bua.ask(OpenSession(session=call.session, streams=1))
    assert isinstance(opened, SessionOpened)
    call.port = opened.caller[0].port
    for side, own in ((Side.CALLER, call.customer), (Side.AGENT, call.agent)):
        await b2bua.ask(SetRemote(session=call.session, side=side, streams=(_remote(own),), mark=1))


async def _kill(media: MediaProcesses, calls: list[_Call]) -> None:
    await media.kill()
    async with connected(media.path) as b2bua:
        b2bua.writer.write(b"".join(pack(call.claim()) for call in calls))
        for _ in calls:
            assert isinstance(await b2bua.answer(), SessionClaimed)


def _remote(own: socket.socket) -> RemoteStream:
    host, port = own.getsockname()
    return RemoteStream(address=host, port=port, rtcp_address=host, rtcp_port=9, mu_types=(0,))


@contextlib.contextmanager
def _sockets(count: int) -> Iterator[list[_Call]]:
    with contextlib.ExitStack() as ends:
        calls = []
        for number in range(count):
            own = [ends.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
            for each in own:
                each.bind(("127.0.0.1", 0))
                each.setblocking(False)
            calls.append(_Call(SessionId(f"{number}"), *own))
        yield calls


@contextlib.contextmanager
def _talking(calls: list[_Call]) -> Iterator[None]:
    """All customers talk, and all agents note when it comes, in processes of their own: threads of
    this one would keep it from its work."""
    over, (ours, theirs) = _FORK.Event(), _FORK.Pipe(duplex=False)
    workers = [
        _FORK.Process(target=_send, args=(calls, over)),
        _FORK.Process(target=_receive, args=(calls, over, theirs)),
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        over.set()
        for call, arrivals in zip(calls, ours.recv(), strict=True):
            call.arrivals = arrivals
        for worker in workers:
            worker.join()


def _send(calls: list[_Call], over: Event) -> None:
    number, due = 0, time.monotonic()
    while not over.is_set():
        number += 1
        packet = serialise(Rtp(0, False, number % 65536, number * 160, Ssrc(1), b"\xff" * 160))
        for call in calls:
            with contextlib.suppress(OSError):
                call.customer.sendto(packet, ("127.0.0.1", call.port))
        due += _PACKET
        time.sleep(max(0.0, due - time.monotonic()))


def _receive(calls: list[_Call], over: Event, result: Connection) -> None:
    with selectors.DefaultSelector() as selector:
        for call in calls:
            selector.register(call.agent, selectors.EVENT_READ, call)
        while not over.is_set():
            for key, _ in selector.select(0.1):
                with contextlib.suppress(BlockingIOError):
                    while True:
                        key.data.agent.recv(2048)
                        key.data.arrivals.append(time.monotonic())
    result.send([call.arrivals for call in calls])
