"""Parses what a leg's peer described, and restricts it to what trunks and media allow."""

from __future__ import annotations

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import filters
from b2bua.call.sdp.codecs import OtherAudio


def parse_remote(
    body: bytes, *, kinds: frozenset[str] | None, encrypted: bool, other_audio: OtherAudio, max_media: int
) -> sdp.SessionDescription | None:
    """Parse a peer's description; None where it is none.

    `kinds`: of m-lines that are allowed, None for all. `encrypted`: RTP in clear is not.
    `max_media`: m-lines that get ports.
    """
    try:
        described = sdp.parse_description(body)
    except sdp.SdpError:
        return None
    described = filters.limit_media(described, max_media)
    if kinds is not None:
        described = filters.limit_kinds(described, kinds)
    if encrypted:
        described = filters.refuse_clear_rtp(described)
    if other_audio is OtherAudio.MUTE:
        return described
    return filters.without_opaque_audio(described, decoded=other_audio is OtherAudio.DECODE)
