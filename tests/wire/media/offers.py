"""Offers beyond one stream of G.711: Opus, and RTP and RTCP on one port (RFC 5761)."""

from __future__ import annotations

from tests.wire.handmade import offer

OPUS, TICKS, SSRC = 96, 960, 0x0B05


def opus_offer(port: int, who: str = "customer") -> str:
    """As `offer`, with Opus and events on its clock."""
    plain = (
        offer(port, who)
        .replace("RTP/AVP 0 101", f"RTP/AVP {OPUS} 0 101")
        .replace("101 telephone-event/8000", "101 telephone-event/48000")
    )
    return plain + f"a=rtpmap:{OPUS} opus/48000/2\r\na=fmtp:{OPUS} useinbandfec=1\r\n"


MUX = "a=rtcp-mux\r\n"


def port(body: str) -> int:
    return int(body.partition("m=audio ")[2].split()[0])
