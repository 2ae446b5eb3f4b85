"""Tones in the audio through a whole Tonewall, from the customer's socket to the agent's: what decoders read there."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.leak.carriers import Habit, keyed
from tests.leak.codec import G722, PCMU
from tests.leak.decoders import union
from tests.leak.timeline import heard, parse
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE, offer
from tests.wire.test_transfer import Scene, scene

CARD, PACE = "4111111111111111", 0.004  # seconds between two packets: the mask's time is the packets' own
CODECS = {PCMU: "0 PCMU/8000", G722: "9 G722/8000"}
TAILS = Habit("events, then a tail of tone", tail=(100, 160))


def read(at: Scene, since: int, payload_type: int) -> list[str]:
    """What any decoder makes of what the agent's phone has received."""
    packets = [packet for data, _ in at.old.rtp.heard[since:] if (packet := parse(data)) is not None]
    assert all(packet.payload_type == payload_type for packet in packets)
    return [one.digit for digits in union(heard(packets)).values() for one in digits]


async def send(at: Scene, habit: Habit, seed: int, payload_type: int) -> None:
    """The customer's phone, by way of such a carrier; until the agent's phone has what becomes of it."""
    packets = keyed(CARD, habit, seed, payload_type=payload_type, event_type=EVENT_TYPE)
    before = len(at.old.rtp.heard)
    for packet in packets:
        at.customer.media.rtp.send(bytes(packet), at.customer.far)
        await asyncio.sleep(PACE)
    audio = sum(packet.payload_type == payload_type for packet in packets)
    await until(lambda: len(at.old.rtp.heard) - before >= audio, "the customer's audio at the agent's phone")


@pytest.mark.parametrize(
    ("policy", "payload_type"),
    [("mask", PCMU), ("mute-on-key", PCMU), ("mute", PCMU), ("mask", G722), ("mute-on-key", G722)],
)
async def test_tails_of_tone_are_read_at_the_agent_s_phone_without_a_mask_and_not_with_one(
    tmp_path: Path, policy: str, payload_type: int
) -> None:
    async with scene(tmp_path, partial(offer, codec=CODECS[payload_type]), mask=policy) as at:
        await send(at, Habit("tone alone", before=120, event=0), 1, payload_type)
        assert "".join(dict.fromkeys(read(at, 0, payload_type))) == "41", "the control"
        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await send(at, TAILS, 2, payload_type)
        assert read(at, since, payload_type) == []

        async def counted() -> bool:
            fields = (await at.stack.call(at.call_id))["capture"]["fields"]
            return bool(fields[0]["complete"] and not fields[0]["rejected"])

        await until(counted, "each key once")
        await at.end(at.agent)
