"""A card is paid in a call that speaks Opus, by a carrier that sends a tail of tone after each
event: nothing of it is read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from media.codecs import DecodedCodec
from tests.canary import CANARY
from tests.leak import phones
from tests.leak.codec import amplitude
from tests.leak.decoders import COLUMNS, KEYS, RATE, ROWS, union
from tests.leak.timeline import Packet, parse
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE
from tests.wire.media.offers import OPUS, SSRC, TICKS, opus_offer
from tests.wire.media.renegotiation import renegotiated
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, scene

FRAMES, TAIL = 20, range(6, 14)  # of 20 ms: a key and what follows it; where its tone is heard
PACE = 0.005  # seconds between two packets: the mask's time is the packets' own


def spoken(keys: str) -> list[bytes]:
    """What such a phone sends beside its events: a quiet room, and the tone of each key."""
    audio = np.random.default_rng(5).normal(0, 60, len(keys) * FRAMES * 160)
    at = np.arange(len(TAIL) * 160) / RATE
    for index, key in enumerate(keys):
        start = (index * FRAMES + TAIL.start) * 160
        row, column = ROWS[KEYS.index(key) // 4], COLUMNS[KEYS.index(key) % 4]
        audio[start : start + len(at)] += amplitude(-9) * (
            np.sin(2 * np.pi * row * at) + np.sin(2 * np.pi * column * at)
        )
    return phones.sent(audio, DecodedCodec.OPUS)


class Speaker:
    """The customer's phone in Opus; its sequence numbers wrap soon."""

    def __init__(self, at: Scene) -> None:
        self._at, self._sequence, self._clock = at, 65_400, 2**32 - 30 * TICKS

    async def key(self, keys: str, *, events: bool) -> None:
        for index, payload in enumerate(spoken(keys)):
            frame, code = index % FRAMES, "0123456789*#".index(keys[index // FRAMES])
            if events and frame < 4:
                duration = min((frame + 1) * TICKS, 3 * TICKS)
                event = bytes([code, 0x8A if frame == 3 else 10]) + duration.to_bytes(2, "big")
                self._send(EVENT_TYPE, event, self._clock - frame * TICKS)
            else:
                self._send(OPUS, payload, self._clock)
            self._clock += TICKS
            await asyncio.sleep(PACE)

    def _send(self, payload_type: int, payload: bytes, clock: int) -> None:
        packet = Packet(payload_type, self._sequence % 65536, clock % 2**32, SSRC, payload)
        self._sequence += 1
        self._at.customer.media.rtp.send(bytes(packet), self._at.customer.far)


def read(at: Scene, since: int) -> list[str]:
    """What any decoder makes of what the agent's phone has received."""
    packets = [packet for data, _ in at.old.rtp.heard[since:] if (packet := parse(data)) is not None]
    assert {packet.payload_type for packet in packets} == {OPUS}
    return [
        one.digit
        for digits in union(phones.heard([each.payload for each in packets], DecodedCodec.OPUS)).values()
        for one in digits
    ]


@pytest.mark.parametrize("policy", ["mask", "mute-on-key", "mute"])
async def test_a_card_is_paid_over_opus_and_no_tail_of_its_keys_is_read(tmp_path: Path, policy: str) -> None:
    async with scene(tmp_path, mask=policy) as at:
        asked = await renegotiated(
            at.carrier, at.near, 2, opus_offer(at.customer.media.port), at.pbx, opus_offer(at.old.port, "old")
        )
        assert "opus/48000/2" in asked
        speaker = Speaker(at)
        await speaker.key("29", events=False)
        await until(lambda: len(at.old.rtp.heard) >= 2 * FRAMES - 1, "the customer at the agent's phone")
        assert "".join(dict.fromkeys(read(at, 0))) == "29", "the control"
        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await speaker.key(CANARY.keys, events=True)
        await at.stack.stage(at.call_id, "ready")
        await until(
            lambda: len(at.old.rtp.heard) - since > len(CANARY.keys) * (FRAMES - 6),
            "the rest of what was said",
        )
        assert read(at, since) == []
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await at.end(at.agent)
