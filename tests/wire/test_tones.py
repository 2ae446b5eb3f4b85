"""Tones in the audio through a whole Tonewall, from the customer's socket to the agent's: what decoders read there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.leak.carriers import Habit, keyed
from tests.leak.codec import PCMU
from tests.leak.decoders import union
from tests.leak.timeline import heard, parse
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE
from tests.wire.test_transfer import Scene, scene

CARD, PACE = "4111111111111111", 0.004  # seconds between two packets: the mask's time is the packets' own
TAILS = Habit("events, then a tail of tone", tail=(100, 160))


def read(at: Scene, since: int) -> list[str]:
    """What any decoder makes of what the agent's phone has received."""
    packets = [packet for data, _ in at.old.rtp.heard[since:] if (packet := parse(data)) is not None]
    assert all(packet.payload_type == PCMU for packet in packets)
    return [one.digit for digits in union(heard(packets)).values() for one in digits]


async def send(at: Scene, habit: Habit, seed: int) -> None:
    """The customer's phone, by way of such a carrier; until the agent's phone has what becomes of it."""
    packets = keyed(CARD, habit, seed, payload_type=PCMU, event_type=EVENT_TYPE)
    before = len(at.old.rtp.heard)
    for packet in packets:
        at.customer.media.rtp.send(bytes(packet), at.customer.far)
        await asyncio.sleep(PACE)
    audio = sum(packet.payload_type == PCMU for packet in packets)
    await until(lambda: len(at.old.rtp.heard) - before >= audio, "the customer's audio at the agent's phone")


@pytest.mark.parametrize("policy", ["mask", "mute-on-key", "mute"])
async def test_tails_of_tone_are_read_at_the_agent_s_phone_without_a_mask_and_not_with_one(
    tmp_path: Path, policy: str
) -> None:
    async with scene(tmp_path, mask=policy) as at:
        await send(at, Habit("tone alone", before=120, event=0), seed=1)
        assert "".join(dict.fromkeys(read(at, 0))) == "41", "the control"
        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await send(at, TAILS, seed=2)
        assert read(at, since) == []

        async def counted() -> bool:
            fields = (await at.stack.call(at.call_id))["capture"]["fields"]
            return bool(fields[0]["complete"] and not fields[0]["rejected"])

        await until(counted, "each key once")
        await at.end(at.agent)
