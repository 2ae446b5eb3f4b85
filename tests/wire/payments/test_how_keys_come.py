"""The notes on a payment, from the customer's packets through a whole Tonewall to the API: keys as
events, as tones, as both, as SIP INFO, twice; a customer who talks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from tests.canary import CANARY
from tests.leak.carriers import Habit
from tests.leak.codec import PCMU, encoded
from tests.leak.presses import dual_tone
from tests.leak.speech import talk
from tests.leak.timeline import Packet
from tests.stack import until
from tests.wire.info_keys import pressed
from tests.wire.media.tones import PACE, TAILS, play, read, send
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, events, scene

RATE = 8000
TONES = Habit("tone alone", before=120, event=0)


async def noted(at: Scene, *codes: str) -> None:
    """Until exactly these notes stand at the payment."""

    async def are() -> bool:
        notes = (await at.stack.call(at.call_id))["capture"]["notes"]
        return [note["code"] for note in notes] == list(codes) and all(note["detail"] for note in notes)

    await until(are, f"the notes {codes}")


async def test_keys_that_are_events_are_told_as_such(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        await noted(at)
        await at.customer.key("41")
        await noted(at, "keys_as_events")
        assert events(at.old) == 0
        await at.end(at.agent)


@pytest.mark.parametrize("captured", ["yes", "no"])
async def test_keys_that_are_tones_are_told_as_such_and_as_not_taken_where_none_is(
    tmp_path: Path, captured: str
) -> None:
    async with scene(tmp_path, capture_tones=captured) as at:
        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await send(at, TONES, 1, PCMU)
        await noted(at, *["keys_as_tones", "keys_not_taken"][: 1 if captured == "yes" else 2])
        assert read(at, since, PCMU) == []
        await at.end(at.agent)


@pytest.mark.parametrize("captured", ["yes", "no"])
async def test_keys_that_are_both_are_told_as_both(tmp_path: Path, captured: str) -> None:
    async with scene(tmp_path, capture_tones=captured) as at:
        await at.stack.start_capture(at.call_id)
        await send(at, TAILS, 1, PCMU)
        await noted(at, "keys_as_both")
        await at.end(at.agent)


async def test_keys_by_info_are_told_as_such_and_events_alone_as_not_taken(tmp_path: Path) -> None:
    async with scene(tmp_path, info_digits="yes") as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key("4")
        await noted(at, "keys_as_events", "keys_not_taken")
        await pressed(at, "4", 2)
        await noted(at, "keys_as_info")
        answer = await at.stack.api.post(f"/v1/calls/{at.call_id}/capture/slow")
        assert answer.status_code == 409
        await at.end(at.agent)


async def key_twice(at: Scene, keys: str) -> None:
    """Each key, and 120 ms after it began the same once more; longer until the next."""
    for key in keys:
        for rest in (0, 16):
            packets: list[RtpPacket] = at.customer.press(key)
            await at.customer.play([*packets, *(at.customer.speech() for _ in range(rest))])


async def test_keys_that_come_twice_are_told_and_paid_once_in_slow_mode(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        await key_twice(at, "4000")
        await noted(at, "keys_as_events", "keys_doubled")
        capture = f"/v1/calls/{at.call_id}/capture"
        slow = await at.stack.api.post(f"{capture}/slow")
        assert slow.status_code == 200, slow.text
        assert (await at.stack.api.post(f"{capture}/reset")).status_code == 200

        async def is_slow() -> bool:
            view = (await at.stack.call(at.call_id))["capture"]
            return bool(view["slow"] and not view["fields"][0]["count"])

        await until(is_slow, "slow mode")
        # The star ends the time after a reset in which keys do not count.
        await key_twice(at, "*" + CANARY.keys)
        await noted(at, "keys_as_events")
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await at.end(at.agent)


async def test_a_trunk_joins_keys_that_come_twice_from_the_first_on(tmp_path: Path) -> None:
    async with scene(tmp_path, slow_keys="yes") as at:
        await at.stack.start_capture(at.call_id)
        await key_twice(at, CANARY.keys)
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await at.end(at.agent)


async def test_a_customer_who_talks_instead_of_keying_is_told_until_a_key_comes(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        speech = talk(np.random.default_rng(5), 4 * RATE) * 0.1
        packets = [
            Packet(PCMU, 700 + number, 160 * number, 77, payload)
            for number, payload in enumerate(encoded(speech, PCMU))
        ]
        await play(at, packets, PCMU)
        await noted(at, "customer_talks")
        number, clock = 700 + len(packets), 160 * len(packets)
        for part in range(3):
            payload = bytes([5, 0x8A if part == 2 else 0x0A]) + (160 * (part + 1)).to_bytes(2, "big")
            at.customer.media.rtp.send(bytes(Packet(101, number + part, clock, 77, payload)), at.customer.far)
            await asyncio.sleep(PACE)
        await noted(at, "keys_as_events")
        await at.end(at.agent)


async def test_noise_is_no_talk(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        noise = np.random.default_rng(5).normal(0, 400, 4 * RATE) + dual_tone("1", 4 * RATE, (-60, -60))
        packets = [
            Packet(PCMU, 700 + number, 160 * number, 77, payload)
            for number, payload in enumerate(encoded(noise, PCMU))
        ]
        await play(at, packets, PCMU)
        await at.customer.key("4")
        await noted(at, "keys_as_events")
        await at.end(at.agent)
