"""A line whose codec the decoder process knows."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from media._core import AGENT, CALLER, Relay
from media.codecs import DecodedCodec
from tests.leak import phones
from tests.leak.codec import Floats, amplitude
from tests.leak.decoders import COLUMNS, KEYS, RATE, ROWS
from tests.leak.timeline import Packet, parse
from tonewall.process import card_environment

HOST, STREAM, EVENT, SSRC = "127.0.0.1", 1, 101, 0x77
_PATIENCE, _IN_FLIGHT = 20.0, 5  # seconds; packets
TONE, PAUSE = round(0.08 * RATE), round(0.12 * RATE)


def keyed(keys: str) -> tuple[Floats, list[range]]:
    """A quiet room in which these keys are pressed, and the samples of each press."""
    chance = np.random.default_rng(7)
    audio = chance.normal(0, 60, (len(keys) + 4) * (TONE + PAUSE))
    presses = []
    for index, key in enumerate(keys):
        start = (index + 2) * (TONE + PAUSE)
        at = np.arange(TONE) / RATE
        row, column = ROWS[KEYS.index(key) // 4], COLUMNS[KEYS.index(key) % 4]
        audio[start : start + TONE] += amplitude(-9) * (
            np.sin(2 * np.pi * row * at) + np.sin(2 * np.pi * column * at)
        )
        presses.append(range(start, start + TONE))
    return audio, presses


def until(condition: Callable[[], object], seconds: float = _PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.001)


@dataclass
class Line:
    """A relay with one stream, and both ends of it. The customer never gets far ahead of what the
    agent has."""

    relay: Relay
    customer: socket.socket
    agent: socket.socket
    port: int
    codec: DecodedCodec
    decoder: subprocess.Popen[bytes] | None = None
    left: list[Packet] = field(default_factory=list)

    def start_decoder(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.decoder = subprocess.Popen(
                [sys.executable, "-m", "media.decoder.process", "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=card_environment({}),
            )
        self.relay.set_decoder(ours.detach())
        limits = Path(f"/proc/{self.decoder.pid}/limits")
        # It opens nothing more: it listens.
        until(lambda: re.search(r"Max open files +0 +0", limits.read_text()))

    def drain(self) -> None:
        while True:
            try:
                packet = parse(self.agent.recv(4096))
            except BlockingIOError:
                return
            assert packet is not None
            self.left.append(packet)

    def send(self, payloads: list[bytes], first: int = 0) -> list[Packet]:
        """All of them, and what has left for the agent when nothing more comes."""
        before = len(self.left)
        ticks = phones.TICKS.get(self.codec, 160)
        for index, payload in enumerate(payloads, first):
            packet = Packet(phones.payload_type(self.codec), index % 65536, index * ticks, SSRC, payload)
            self.customer.sendto(bytes(packet), (HOST, self.port))
            until(partial(self._has, before + index - first - _IN_FLIGHT))
        until(lambda: self._drained() - before == len(payloads))
        return self.left[before:]

    def passes(self, payloads: list[bytes], which: Callable[[list[bytes]], list[bytes]], first: int) -> None:
        """Asserts that these leave as they came, sooner or later: a window lasts for a while, and
        on a machine that is busy the decoder may answer too late."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            left = [packet.payload for packet in self.send(payloads, first)]
            if which(left) == which(payloads):
                return
            first += len(payloads)
        raise AssertionError("what is no key is not untouched")

    def settled(self, sent: int, waiting: int = _IN_FLIGHT) -> bool:
        """Whether the relay has taken in so many packets, and no more than a few of them wait in
        it."""
        self.drain()
        counted = self.relay.counters(STREAM)
        gone = counted["agent_masked"] + counted["agent_sent"]
        return counted["caller_received"] == sent and sent - gone <= waiting

    def _has(self, count: int) -> bool:
        return self._drained() >= count

    def _drained(self) -> int:
        self.drain()
        return len(self.left)


@pytest.fixture
def line(codec: DecodedCodec) -> Iterator[Line]:
    relay = Relay()
    relay.start()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(6)]
    for one in sockets:
        one.bind((HOST, 0))
        one.setblocking(False)
    customer, agent, *inner = sockets
    port = inner[0].getsockname()[1]
    relay.open_stream(STREAM, *(one.detach() for one in inner))
    for leg, end in ((CALLER, customer), (AGENT, agent)):
        relay.set_peer(STREAM, leg, HOST, end.getsockname()[1], HOST, 9, False)
    relay.set_types(STREAM, bytes([EVENT]), b"", decoded=bytes([phones.payload_type(codec), codec.number]))
    built = Line(relay, customer, agent, port, codec)
    try:
        yield built
    finally:
        relay.stop()
        for one in (customer, agent):
            one.close()
        if built.decoder is not None:
            assert built.decoder.wait(20) == 0, "the decoder ends when media closes its socket"
