"""What became of a code is played to the agent, and to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiortc.rtp import RtpPacket, is_rtcp

from tests.stack import until
from tests.wire.handmade import MediaPair
from tests.wire.payments.agents_phone import agents_phone, key, told
from tests.wire.scene import scene

SPOKEN = 20  # packets: more than half of the shortest prompt


def sounds(pair: MediaPair) -> int:
    """Packets of audio that are no silence and no speech of the other side's."""
    packets = [RtpPacket.parse(data) for data, _ in pair.rtp.heard if not is_rtcp(data)]
    return sum(len(set(packet.payload)) > 40 for packet in packets if len(packet.payload) == 160)


@pytest.mark.parametrize("masked", [False, True])
async def test_the_agent_alone_hears_what_became_of_a_code(tmp_path: Path, *, masked: bool) -> None:
    more = {"feature_codes": {"prompts": "placeholder", "language": "en"}}
    async with scene(tmp_path, pbx_keys={"feature_codes": "yes"}, more=more) as at:
        phone = await agents_phone(at)
        if masked:
            await at.stack.start_capture(at.call_id)
        assert sounds(at.old) == 0
        await key(phone, "*1#")
        assert not (await told(at, 1))["done"]
        await until(lambda: sounds(at.old) >= SPOKEN, "the prompt at the agent's phone")
        assert sounds(at.customer.media) == 0
        await at.end(at.agent)


async def test_without_a_set_nothing_is_played(tmp_path: Path) -> None:
    async with scene(tmp_path, pbx_keys={"feature_codes": "yes"}) as at:
        phone = await agents_phone(at)
        await key(phone, "*1#")
        assert not (await told(at, 1))["done"]
        await at.customer.play([at.customer.speech() for _ in range(50)])
        await until(lambda: len(at.old.rtp.heard) > 50, "speech at the agent's phone")
        assert sounds(at.old) == 0
        await at.end(at.agent)
