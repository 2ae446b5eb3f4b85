"""Where the peer of a leg sends and receives, as media needs it."""

from __future__ import annotations

from collections.abc import Sequence

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.addresses import NOWHERE
from b2bua.call.sdp.codecs import clock_rate
from media.stream_description import RemoteStream, StreamKeys


def remote_streams(
    described: sdp.SessionDescription, *, latch: bool, keys: Sequence[StreamKeys | None] = ()
) -> tuple[RemoteStream, ...]:
    """Where this leg's peer is, as media needs it: one entry an m-line, port 0 where nothing is to
    pass."""
    streams = []
    for index, media in enumerate(described.media):
        address = described.find_address(media) if media.port else NOWHERE[0]
        types = media.payload_types()
        silent = not media.relayed or address in NOWHERE
        rtcp_address, rtcp_port = media.find_rtcp(address) if media.is_rtp else (address, 0)
        streams.append(
            RemoteStream(
                address=address,
                port=0 if silent else media.port,
                rtcp_address=rtcp_address,
                rtcp_port=0 if silent else rtcp_port,
                event_types=types.events,
                mu_types=types.mu,
                a_types=types.a,
                g722_types=types.g722,
                decoded_types=types.decoded,
                opaque_types=types.opaque,
                other_types=types.other,
                red_types=types.red,
                clock_rate=clock_rate(media.kind, media.formats, media.find_attributes("rtpmap")),
                rtp=media.is_rtp,
                keys=keys[index] if index < len(keys) else None,
                latch=latch,
            )
        )
    return tuple(streams)
