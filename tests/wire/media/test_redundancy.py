"""A card keyed by a phone that sends everything redundantly (RFC 2198), and of whose events nearly
all are lost."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from aiortc.rtp import RtpPacket

from tests.canary import CANARY
from tests.stack import until
from tests.wire.handmade import offer
from tests.wire.paying import charged, digits_sha256
from tests.wire.signalling.test_transfer import Scene, scene

RED = 121
GENERATIONS = 2


def describe(port: int, who: str) -> str:
    return offer(port, who).replace("AVP 0 101", f"AVP {RED} 0 101") + (
        f"a=rtpmap:{RED} red/8000\r\na=fmtp:{RED} 0/101/101\r\n"
    )


class Redundant:
    """Wraps what a phone sends: each packet repeats the two before it."""

    def __init__(self) -> None:
        self._before: list[RtpPacket] = []

    def wrap(self, packets: Iterable[RtpPacket]) -> list[RtpPacket]:
        return [self._wrapped(packet) for packet in packets]

    def _wrapped(self, packet: RtpPacket) -> RtpPacket:
        older = [each for each in self._before if (packet.timestamp - each.timestamp) & 0xFFFFFFFF <= 0x3FFF]
        heads = b"".join(
            struct.pack(
                "!I",
                1 << 31
                | each.payload_type << 24
                | ((packet.timestamp - each.timestamp) & 0xFFFFFFFF) << 10
                | len(each.payload),
            )
            for each in older
        )
        payload = (
            heads + bytes([packet.payload_type]) + b"".join(each.payload for each in older) + packet.payload
        )
        self._before = [*self._before, packet][-GENERATIONS:]
        return RtpPacket(
            payload_type=RED, marker=packet.marker, sequence_number=packet.sequence_number,
            timestamp=packet.timestamp,
            ssrc=packet.ssrc, payload=payload,
        )  # fmt: skip


async def press(at: Scene, phone: Redundant, key: str, *, lossy: bool) -> list[bytes]:
    """One key and a little speech after it; `lossy`: no packet with an event as its primary block
    arrives."""
    events = phone.wrap(at.customer.press(key))
    speech = phone.wrap([at.customer.speech(), at.customer.speech()])
    sent = [*([] if lossy else events), *speech]
    await at.customer.play(sent)
    return [packet.serialize() for packet in sent]


async def test_a_card_is_paid_from_redundant_blocks_and_none_reaches_the_agent(tmp_path: Path) -> None:
    async with scene(tmp_path, describe) as at:
        phone, arrived = Redundant(), at.old.rtp.heard
        sent = await press(at, phone, "7", lossy=False)
        await until(lambda: len(arrived) == len(sent), "the unmasked packets at the agent's phone")
        assert [data for data, _ in arrived] == sent, "untouched"

        await at.stack.start_capture(at.call_id)
        since = len(arrived)
        for number, key in enumerate(CANARY.keys):
            await press(at, phone, key, lossy=number % 3 != 0)
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        masked = [RtpPacket.parse(data) for data, _ in arrived[since:]]
        assert len(masked) > len(CANARY.keys)
        assert {packet.payload_type for packet in masked} == {0}
        assert {len(packet.payload) for packet in masked} == {160}

        async def is_open() -> bool:
            return not (await at.stack.call(at.call_id))["masked"]

        await until(is_open, "the mask to open after the guard time")
        since = len(arrived)
        sent = await press(at, phone, "8", lossy=False)
        await until(lambda: len(arrived) >= since + len(sent), "the packets after the mask")
        kinds = [RtpPacket.parse(data).payload_type for data, _ in arrived[since:]]
        assert kinds[-1] == RED
        await at.end(at.agent)
