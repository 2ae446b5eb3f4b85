"""Keys that come as tones."""

from __future__ import annotations

import asyncio

from tests.leak.carriers import Habit, keyed
from tests.leak.decoders import union
from tests.leak.timeline import Packet, heard, parse
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE
from tests.wire.scene import Scene

# Seconds between two packets: the mask's time is the packets' own.
CARD, PACE = "4111111111111111", 0.004
TAILS = Habit("events, then a tail of tone", tail=(100, 160))


def read(at: Scene, since: int, payload_type: int) -> list[str]:
    """What any decoder makes of what the agent's phone has received."""
    packets = [packet for data, _ in at.old.rtp.heard[since:] if (packet := parse(data)) is not None]
    assert all(packet.payload_type == payload_type for packet in packets)
    return [one.digit for digits in union(heard(packets)).values() for one in digits]


async def send(at: Scene, habit: Habit, seed: int, payload_type: int) -> None:
    """The customer's phone, by way of such a carrier; until the agent's phone has what becomes of
    it."""
    await play(at, keyed(CARD, habit, seed, payload_type=payload_type, event_type=EVENT_TYPE), payload_type)


async def play(at: Scene, packets: list[Packet], payload_type: int) -> None:
    before = len(at.old.rtp.heard)
    for packet in packets:
        at.customer.media.rtp.send(bytes(packet), at.customer.far)
        await asyncio.sleep(PACE)
    audio = sum(packet.payload_type == payload_type for packet in packets)
    await until(lambda: len(at.old.rtp.heard) - before >= audio, "the customer's audio at the agent's phone")
