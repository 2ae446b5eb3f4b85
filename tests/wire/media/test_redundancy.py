"""A card keyed by a phone that sends everything redundantly (RFC 2198), and of whose events nearly
all are lost."""

from __future__ import annotations

from pathlib import Path

from aiortc.rtp import RtpPacket

from tests.canary import CANARY
from tests.stack import until
from tests.wire.media.redundant import RED, Redundant, describe
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import Scene, scene


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
