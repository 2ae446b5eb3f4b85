"""The codec in a call record is the one that came, where several stay agreed on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.stack import until
from tests.wire.handmade import offer
from tests.wire.scene import scene

_G722, _PCMA = 9, 8


def several(port: int, who: str = "customer") -> str:
    """A session that keeps PCMU, PCMA and G.722."""
    return re.sub(r"(m=audio \d+ RTP/AVP) 0 ", r"\1 0 8 9 ", offer(port, who))


async def test_each_side_has_the_codec_of_most_of_its_packets(tmp_path: Path) -> None:
    async with scene(tmp_path, several) as at:
        await at.customer.play([at.customer._packet(_G722, b"\x5a" * 160, 160 * tick) for tick in range(20)])
        await until(lambda: len(at.old.rtp.heard) >= 20, "the customer's audio at the agent's phone")
        near = at.old.rtp.heard[0][1]
        for tick in range(20):
            packet = at.customer._packet(_PCMA, b"\x5a" * 160, 160 * tick)
            at.old.rtp.send(packet.serialize(), near)
        await until(
            lambda: len(at.customer.media.rtp.heard) >= 20, "the agent's audio at the customer's phone"
        )
        await at.end(at.agent)
        [record] = await until(at.stack.records, "the call's record")
        assert record["caller_codec"] == "G722/8000"
        assert record["caller_mos"] is None  # of G.722 nothing is said
        assert record["agent_codec"] == "PCMA/8000"
