"""A call that turns to T.38 and back (ITU-T T.38 annex D): its datagrams pass as they are, but for
those of a masked customer."""

from __future__ import annotations

from pathlib import Path

from tests.stack import until
from tests.wire.handmade import offer, passed
from tests.wire.media.renegotiation import renegotiated, spoken
from tests.wire.scene import scene

UDPTL = b"\x00\x01\x06\xc0\x01\x80\x00\x00\xff" * 3  # no RTP version, no RTCP either


def fax(port: int, who: str) -> str:
    return (
        f"v=0\r\no={who} 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image {port} udptl "
        "t38\r\n"
        "a=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
    )


async def test_a_fax_passes_both_ways_and_speech_comes_back(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        asked = await renegotiated(
            at.carrier, at.near, 2, fax(at.customer.media.port, "customer"), at.pbx, fax(at.old.port, "old")
        )
        assert " udptl t38" in asked
        assert "a=T38FaxUdpEC:t38UDPRedundancy" in asked
        await passed(UDPTL, at.customer.media.rtp, at.customer.far, at.old.rtp)
        await passed(UDPTL + b"back", at.old.rtp, at.old.rtp.heard[-1][1], at.customer.media.rtp)
        audio = offer(at.customer.media.port), offer(at.old.port, "old")
        await renegotiated(at.carrier, at.near, 3, audio[0], at.pbx, audio[1])
        await spoken(at)
        await at.end(at.agent)


async def test_a_fax_from_behind_a_nat_passes_from_a_port_that_its_sdp_does_not_name(tmp_path: Path) -> None:
    async with scene(tmp_path, nat="yes") as at:
        unused = at.customer.media.port + 1  # the NAT sends from another
        asked = await renegotiated(
            at.carrier, at.near, 2, fax(unused, "customer"), at.pbx, fax(at.old.port, "old")
        )
        assert " udptl t38" in asked
        await passed(UDPTL, at.customer.media.rtp, at.customer.far, at.old.rtp)
        await passed(UDPTL + b"back", at.old.rtp, at.old.rtp.heard[-1][1], at.customer.media.rtp)
        await at.end(at.agent)


async def test_nothing_of_a_masked_customer_leaves_as_a_fax(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.customer.play([at.customer.speech()])
        await until(lambda: at.old.rtp.heard, "speech at the agent's phone")
        ours = at.old.rtp.heard[-1][1]
        await at.stack.start_capture(at.call_id)
        at.carrier.send(
            at.carrier.request("INVITE", call=at.near, cseq=2, body=fax(at.customer.media.port, "customer"))
        )
        await at.carrier.hear("488")  # it was never said before, and may carry anything
        at.customer.media.rtp.send(UDPTL, at.customer.far)
        at.customer.media.rtp.send(b"\x80\x00" + bytes(40), at.customer.far)
        at.old.rtp.send(b"\x80\x00" + bytes(40), ours)
        await until(lambda: at.customer.media.rtp.heard, "the agent at the customer's phone")
        assert UDPTL not in [data for data, _ in at.old.rtp.heard]
        await at.end(at.agent)
