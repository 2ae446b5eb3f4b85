"""Where a mask is plugged into the rig: payloads of the customer go in, what leaves for the agent
comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from tests.leak.codec import PACKET, encoded
from tests.leak.line import Arrival
from tests.leak.timeline import Packet


class Masker(Protocol):
    """The mask of one direction of one call, on from the first packet. A new one is made for each
    recording."""

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        """What is sent for these payloads (20 ms each, none lost; static payload types), in order.

        A mask that holds audio back may give its last packets or leave them out; the packets before
        the first held one may be missing or silent."""


class LineMasker(Masker, Protocol):
    """A mask that is given the arrival of packets, and their numbers and times: what lines
    that lose packets need."""

    def relayed(self, arrivals: Sequence[Arrival], *, payload_type: int) -> list[Packet]:
        """What is sent for these packets, with their rtp_timestamps (of a clock of 8 kHz)."""


class Open:
    """No mask at all: the control."""

    def relayed(self, arrivals: Sequence[Arrival], *, payload_type: int) -> list[Packet]:
        return [one.packet for one in arrivals]

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        return list(payloads)


class Shut:
    """Silence in place of everything: what no decoder can read."""

    def relayed(self, arrivals: Sequence[Arrival], *, payload_type: int) -> list[Packet]:
        (quiet,) = encoded(np.zeros(PACKET), payload_type)
        return [replace(one.packet, payload=quiet[: len(one.packet.payload)]) for one in arrivals]

    def through(self, payloads: Sequence[bytes], *, payload_type: int) -> list[bytes]:
        return encoded(np.zeros(PACKET * len(payloads)), payload_type)
