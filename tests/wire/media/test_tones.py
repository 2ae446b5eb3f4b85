"""Tones in the audio through a whole Tonewall, from the customer's socket to the agent's: what
decoders read there."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.canary import CANARY
from tests.leak.carriers import HABITS, Habit
from tests.leak.codec import G722, PCMU, encoded
from tests.leak.decoders import RATE
from tests.leak.presses import dual_tone
from tests.leak.speech import talk
from tests.leak.timeline import Packet, parse
from tests.stack import until
from tests.wire.handmade import offer
from tests.wire.media.tones import PACE, TAILS, play, read, send
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import scene

NOISE = 13  # comfort noise: RFC 3551 section 6
CODECS = {PCMU: "0 PCMU/8000", G722: "9 G722/8000"}


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


def without_events(port: int, who: str) -> str:
    """A session of phones that send keys as tones alone."""
    lines = offer(port, who).replace("RTP/AVP 0 101", "RTP/AVP 0").split("\r\n")
    return "\r\n".join(line for line in lines if ":101 " not in line)


def between_speech(keys: str) -> list[Packet]:
    """A second of speech, keys of 80 ms, and speech again."""
    random = np.random.default_rng(4)
    said = [talk(random, RATE) * 0.1 for _ in range(2)]
    pause = np.zeros(RATE * 100 // 1000)
    tones = [np.concatenate([pause, dual_tone(key, RATE * 80 // 1000, (-12.0, -10.0))]) for key in keys]
    payloads = encoded(np.concatenate([said[0], *tones, pause, pause, said[1]]), PCMU)
    return [Packet(PCMU, 700 + at, 160 * at, 77, payload) for at, payload in enumerate(payloads)]


async def test_a_card_is_paid_by_tones_alone_where_the_carrier_captures_them(tmp_path: Path) -> None:
    async with scene(tmp_path, without_events, capture_tones="yes") as at:
        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await play(at, between_speech(CANARY.keys), PCMU)
        await at.stack.stage(at.call_id, "ready")
        assert read(at, since, PCMU) == []
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await at.end(at.agent)


async def test_a_card_cannot_be_keyed_as_tones_where_the_carrier_does_not_capture_them(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path, without_events) as at:
        with pytest.raises(AssertionError, match="telephone-event"):
            await at.stack.start_capture(at.call_id)
        await at.end(at.agent)


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
async def test_a_key_that_comes_as_event_and_as_tone_is_captured_once(tmp_path: Path, habit: Habit) -> None:
    async with scene(tmp_path, capture_tones="yes") as at:
        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await send(at, habit, 3, PCMU)

        async def counted() -> bool:
            [number, expiry, *_] = (await at.stack.call(at.call_id))["capture"]["fields"]
            assert not number["rejected"]
            assert expiry["count"] == 0
            return bool(number["complete"])

        await until(counted, "each key once")
        assert read(at, since, PCMU) == []
        await at.end(at.agent)


async def test_comfort_noise_crosses_but_for_the_time_of_the_mask(tmp_path: Path) -> None:
    """RFC 3389: its level, and its filter, could say anything."""

    def with_noise(port: int, who: str) -> str:
        return offer(port, who).replace("RTP/AVP 0 101", f"RTP/AVP 0 {NOISE} 101")

    def noise(number: int) -> bytes:
        return bytes(Packet(NOISE, number, 160 * number, 77, bytes([0x40, number])))

    def voice(number: int) -> bytes:
        return bytes(Packet(PCMU, number, 160 * number, 77, b"\x5a" * 160))

    async with scene(tmp_path, with_noise, placeholder_tone="yes") as at:

        async def crosses(first: int) -> list[bytes]:
            """Comfort noise, and voice until some is heard: what has come of the noise by then."""
            before = len(at.old.rtp.heard)
            for number in range(first, first + 12):
                at.customer.media.rtp.send(
                    noise(number) if number < first + 3 else voice(number), at.customer.far
                )
                await asyncio.sleep(PACE)
            await until(lambda: len(at.old.rtp.heard) > before + 3, "voice at the agent's phone")
            packets = [parse(data) for data, _ in at.old.rtp.heard[before:]]
            return [
                packet.payload for packet in packets if packet is not None and packet.payload_type == NOISE
            ]

        assert await crosses(0) == [bytes([0x40, number]) for number in range(3)]
        await at.stack.start_capture(at.call_id)
        assert await crosses(100) == []
        await at.end(at.agent)
