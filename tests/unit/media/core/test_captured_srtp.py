"""Captured SRTP of phones, opened and sealed again to the same octets by the relay, with the key of
its captured description."""

from __future__ import annotations

import base64
import re

import pytest

from media._core import AGENT, CALLER
from media.formats import rtp
from tests.fixtures.captured import Packet, packet, packets
from tests.unit.media.core.relay_rig import Rig, received
from tests.unit.media.core.sealed import LENGTHS

DESCRIPTIONS = {"pjsua2": "pjsua2.invite-sdes.sip", "baresip": "baresip.200-invite-sdes.sip"}


def crypto(sender: str) -> tuple[str, bytes]:
    """Suite and master key of the first `a=crypto` (RFC 4568) that the sender described."""
    line = re.search(rb"a=crypto:1 (\S+) inline:([A-Za-z0-9+/=]+)", packet(DESCRIPTIONS[sender]).data)
    assert line is not None
    return line[1].decode(), base64.b64decode(line[2])


@pytest.mark.parametrize("sealed", [*packets("srtp"), *packets("srtcp")], ids=str)
def test_srtp_is_sealed_as_it_was_opened(sealed: Packet) -> None:
    suite, key = crypto(sealed.sender)
    other = bytes(LENGTHS[suite])
    is_rtcp = sealed.name.endswith("srtcp")
    rigs = Rig(), Rig()
    try:
        opens, seals = (rig.connect_both() for rig in rigs)
        opens.relay.set_crypto(7, CALLER, suite, key, other)
        seals.relay.set_crypto(7, AGENT, suite, other, key)
        if is_rtcp:
            opens.caller.send_rtcp(sealed.data)
            clear = received(opens.agent.rtcp)
            assert rtp.reception(clear) is not None
            # RFC 3711 section 3.4: libsrtp's first packet has the index 1.
            index = int.from_bytes(sealed.data[index_place(suite, sealed.data)], "big") & 0x7FFFFFFF
            for _ in range(index):
                seals.caller.send_rtcp(clear)
                again = received(seals.agent.rtcp)
        else:
            opens.caller.send(sealed.data)
            clear = received(opens.agent.rtp)
            read = rtp.parse(clear)
            assert read is not None
            assert (read.payload_type, len(read.payload)) == (0, 160)
            seals.caller.send(clear)
            again = received(seals.agent.rtp)
    finally:
        for rig in rigs:
            rig.close()
    assert clear not in sealed.data
    assert again == sealed.data


def index_place(suite: str, data: bytes) -> slice:
    """The four octets with the index: at the end, or before a tag of 80 bits (RFC 3711 section 3.4,
    RFC 7714 section 9)."""
    end = len(data) - (0 if suite.startswith("AEAD") else 10)
    return slice(end - 4, end)
