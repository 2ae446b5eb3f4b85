"""What the tests of a paid call share: the digits that must arrive, what a leg carried, what must
not be left."""

from __future__ import annotations

import array
import contextlib
import hashlib
import itertools
import math
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.canary import CANARY, Card
from tests.complaints import complaint_of
from tests.stack import Stack, until
from tests.wire.peers.aiortc_view import Flow, flows

NUMBER = "442079460000"
PHONE_EVENTS = 120  # what PJMEDIA calls its telephone events
AUDIBLE = 0.005  # root mean square of full scale; a silent line is below 0.001
_BIAS = 0x84  # of G.711 µ-law


def own_network() -> str:
    """The first three octets of loopback addresses that no other worker of this test run uses:
    `127.0.N`."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"127.0.{100 + worker}"


def digits_sha256(card: Card = CANARY) -> str:
    """What the provider says that it was sent, in order: number, MMYY, code."""
    return hashlib.sha256(f"{card.number}{card.expiry}{card.code}".encode()).hexdigest()


async def charged(stack: Stack, transaction: str) -> dict[str, Any]:
    """The provider's only record of a transaction."""
    [record] = [each for each in await stack.charges() if each["transaction_id"] == transaction]
    return record


async def nothing_left(stack: Stack) -> None:
    """Until there is neither a call in b2bua nor a session in media."""

    async def idle() -> bool:
        health = (await stack.api.get("/healthz")).json()
        return health["calls"] == health["sessions"] == 0

    await until(idle, f"every call and session to end; see {stack.log}")


# --- what was on the wire -------------------------------------------------------------------------


def between(file: Path, here: str, there: str) -> Flow:
    """All that went from one address to another, as one flow."""
    found = Flow((here, 0), (there, 0))
    for (sender, receiver), flow in flows(file).items():
        if (sender[0], receiver[0]) == (here, there):
            found.rtp += flow.rtp
            found.rtcp += flow.rtcp
            found.times += flow.times
            found.neither += flow.neither
    return found


def events_of_any_type(flow: Flow) -> int:
    """Packets that could be an event under whatever payload type (RFC 4733 section 2.3: four
    octets)."""
    return sum(len(packet.payload) == 4 for packet in flow.rtp)


def clock_runs_backwards(flow: Flow) -> int:
    """How often a stream's rtp_timestamp is lower than before, over its wrap at 2^32."""
    steps = 0
    for ssrc in flow.ssrcs:
        clocks = [packet.timestamp for packet in flow.rtp if packet.ssrc == ssrc]
        steps += sum((later - before) & 0xFFFFFFFF >= 1 << 31 for before, later in itertools.pairwise(clocks))
    return steps


def level(flow: Flow) -> float:
    """Root mean square of a flow's G.711 µ-law (payload type 0), from 0 to 1."""
    samples = array.array(
        "h", [_LINEAR[octet] for packet in flow.rtp if packet.payload_type == 0 for octet in packet.payload]
    )
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) / 32768 if samples else 0.0


def _linear(octet: int) -> int:
    """ITU-T G.711, table 2a."""
    octet = ~octet & 0xFF
    magnitude = ((((octet & 0x0F) << 3) + _BIAS) << ((octet & 0x70) >> 4)) - _BIAS
    return -magnitude if octet & 0x80 else magnitude


_LINEAR = [_linear(octet) for octet in range(256)]


def complaints(stack: Stack) -> list[str]:
    """Every line of the log so far that is an error; at the end of a test none may be left unnamed,
    whoever asks."""
    lines = stack.log.read_text(errors="replace").splitlines()
    return [line for line in lines if complaint_of(line) is not None]


@contextlib.asynccontextmanager
async def without_complaint(stack: Stack) -> AsyncIterator[Stack]:
    """The block leaves no call and no session behind; that it leaves no error in the log is seen of
    every test."""
    yield stack
    await nothing_left(stack)


@dataclass(frozen=True, slots=True)
class Addresses:
    """One address each, so that a packet says by itself on which leg it is."""

    tonewall: str = field(default_factory=lambda: f"{own_network()}.1")
    customer: str = field(default_factory=lambda: f"{own_network()}.2")
    agent: str = field(default_factory=lambda: f"{own_network()}.3")

    def conf(self) -> dict[str, dict[str, str]]:
        return {
            "general": {"bind": self.tonewall}, "media": {"address": self.tonewall},
            "carrier": {"host": self.customer}, "pbx": {"host": self.agent},
        }  # fmt: skip

    def number(self, stack: Stack) -> str:
        return f"sip:{NUMBER}@{self.tonewall}:{stack.sip_port}"

    def media(self, stack: Stack) -> str:
        """The capture filter for what the telephones exchange with Tonewall, but SIP."""
        return f"udp and host {self.tonewall} and not port {stack.sip_port}"
