"""A stranger sends INVITEs as fast as it can: no call, no state, few answers, and the calls that
are up hear nothing of it.

TONEWALL_FLOOD_SECONDS: for how long; `make flood` takes half a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.stack import Stack, running, until
from tests.wire.flooding import memory_kb
from tests.wire.handmade import Customer, Desk, trunk
from tests.wire.paying import nothing_left, without_complaint
from tests.wire.sip_peer import SDP

SECONDS = float(os.environ.get("TONEWALL_FLOOD_SECONDS", "4"))
RATE = 1000  # INVITEs a second
CALLS = 10
ANSWERS = 50  # a second that strangers get at most, and as many at once
HELD = ("calls", "legs", "dialogs", "sessions")
_SLICE = 0.01  # seconds

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")


@dataclass
class Stranger:
    """Sends from an address that no trunk has, in a thread of its own."""

    engine: tuple[str, int]
    sent: int = 0
    answers: list[bytes] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Stranger]:
        thread = threading.Thread(target=self._flood)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _flood(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.66", 0))
            sock.setblocking(False)
            started = time.monotonic()
            while not self._stop.is_set():
                for _ in range(int((time.monotonic() - started) * RATE) - self.sent):
                    sock.sendto(self._invite(sock.getsockname()[1]), self.engine)
                    self.sent += 1
                with contextlib.suppress(BlockingIOError):
                    while True:
                        self.answers.append(sock.recv(65536))
                self._stop.wait(_SLICE)

    def _invite(self, port: int) -> bytes:
        one = secrets.token_hex(8)
        body = SDP.format("stranger")
        return (
            f"INVITE sip:100@{self.engine[0]} SIP/2.0\r\nVia: SIP/2.0/UDP "
            f"127.0.0.66:{port};rport;branch=z9hG4bK{one}\r\n"
            f"From: <sip:{one}@127.0.0.66>;tag={one}\r\nTo: <sip:100@{self.engine[0]}>\r\nCall-ID: {one}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:{one}@127.0.0.66:{port}>\r\nMax-Forwards: 70\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


async def health(stack: Stack) -> dict[str, int]:
    return (await stack.api.get("/healthz")).json()


async def test_a_flood_of_strangers_makes_no_call_and_costs_the_running_ones_nothing(tmp_path: Path) -> None:
    desk = Desk()
    with trunk() as carrier:
        stack = Stack(tmp_path, carrier.port, desk.port, extra={"general": {"log_level": "info"}})
        async with running(stack), without_complaint(stack):
            carrier.engine = ("127.0.0.1", stack.sip_port)
            await desk.open()
            customers = [Customer(carrier) for _ in range(CALLS)]
            for customer in customers:
                await customer.dial()
            await stack.calls_up(CALLS)

            async def all_seen() -> bool:
                return (await health(stack))["sessions"] == CALLS

            await until(all_seen, "media to say what it holds")
            [pid] = stack.pids()["b2bua"]
            before, kb = await health(stack), memory_kb(pid)
            heard = len(desk.media.rtp.heard)
            with Stranger(carrier.engine).at_work() as stranger:
                packets = [[customer.speech() for _ in range(int(SECONDS / 0.02))] for customer in customers]
                await asyncio.gather(
                    *(each.play(more) for each, more in zip(customers, packets, strict=True))
                )
                during = await health(stack)
                late = Customer(carrier)
                await late.dial()  # who is known is served meanwhile
            spoken = sum(map(len, packets))

            async def all_counted() -> bool:
                return (await health(stack))["strangers"] == stranger.sent

            await until(all_counted, f"{stranger.sent} strangers counted")
            assert stranger.sent >= 0.9 * RATE * SECONDS
            assert {name: during[name] for name in HELD} == {name: before[name] for name in HELD}
            # Those of the calls' own INVITEs end meanwhile.
            assert during["transactions"] <= before["transactions"]
            assert 0 < len(stranger.answers) <= ANSWERS * (1 + SECONDS * 2)
            assert all(answer.startswith(b"SIP/2.0 403 ") for answer in stranger.answers)
            assert memory_kb(pid) - kb < 2048
            await until(lambda: len(desk.media.rtp.heard) - heard >= spoken * 0.999, "the speech at the desk")
            print(
                f"{stranger.sent} INVITEs, {spoken} packets of speech, {len(desk.media.rtp.heard) - heard} "
                "heard"
            )
            for customer in (*customers, late):
                await customer.hang_up()
            await nothing_left(stack)
        desk.close()
