"""The payload type of telephone-event changes in a re-INVITE while a key is held down: one digit,
and nothing for the agent."""

from __future__ import annotations

import re
from pathlib import Path

from aiortc.rtp import RtpPacket

from tests.canary import CANARY
from tests.wire.handmade import offer
from tests.wire.media.renegotiation import renegotiated, spoken
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import events, scene

MOVED = 110


def moved(port: int, who: str) -> str:
    return re.sub(r"\b101\b", str(MOVED), offer(port, who))


def retyped(packets: list[RtpPacket]) -> list[RtpPacket]:
    for packet in packets:
        packet.payload_type = MOVED
    return packets


async def test_a_key_that_a_re_invite_splits_is_one_digit_and_all_after_it_are_read_by_the_new_type(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        keys, split = CANARY.keys, 7
        await at.stack.start_capture(at.call_id)
        await at.customer.key(keys[:split])
        held = at.customer.press(keys[split])
        await at.customer.play(held[:3])
        ours, theirs = moved(at.old.port, "old"), moved(at.customer.media.port, "customer")
        asked = await renegotiated(at.pbx, at.agent, 2, ours, at.carrier, theirs)
        assert f"a=rtpmap:{MOVED} telephone-event/8000" in asked
        await at.customer.play(retyped(held[3:]))
        for key in keys[split + 1 :]:
            await at.customer.play(
                [*retyped(at.customer.press(key)), at.customer.speech(), at.customer.speech()]
            )
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        assert events(at.old) == 0
        assert MOVED not in {data[1] & 0x7F for data, _ in at.old.rtp.heard}
        await spoken(at)
        await at.end(at.agent)
