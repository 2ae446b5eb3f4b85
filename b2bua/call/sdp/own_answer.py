"""Describes an end of a call that is ours: audio of the core, and telephone-event, which nobody
listens to but media.

Rule 1: of an offer the first audio that media hears keys in is accepted, with the one codec that
        stands first there; all else is refused in place (RFC 3264 section 6). The next leg is
        offered no other codec, so that the peer needs no re-INVITE.
Rule 2: an address stands in it because one has to. No packet goes there (`LegDescriptions.ours`).
"""

from __future__ import annotations

from dataclasses import replace

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.codecs import encodings_by_type
from b2bua.call.sdp.directions import narrow_direction, read_direction
from b2bua.call.sdp.filters import with_formats
from b2bua.call.sdp.lines import payload_type

_SESSION = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0")
_PORT = 9  # discard (RFC 863)
_USUAL = (
    "m=audio 9 RTP/AVP 8 0 101",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
)
_OF_FORMAT = ("a=rtpmap:", "a=fmtp:")


def own_offer() -> bytes:
    """The offer of our end to a peer that made none."""
    return ("\r\n".join((*_SESSION, *_USUAL)) + "\r\n").encode()


def own_answer(offer: bytes) -> bytes | None:
    """The answer of our end; None where the offer has no audio that keys can be captured in."""
    try:
        offered = sdp.parse_description(offer)
    except sdp.SdpError:
        return None
    taken = next((at for at, each in enumerate(offered.media) if _formats(each)), None)
    if taken is None:
        return None
    lines = list(_SESSION)
    for at, media in enumerate(offered.media):
        formats = _formats(media) if at == taken else media.formats[:1]
        port = _PORT if at == taken else 0
        lines.append(f"m={media.kind} {port} {media.protocol} {' '.join(formats)}")
        if at == taken:
            lines += [line for line in media.lines if _is_about(line, formats)]
            lines.append(f"a={narrow_direction('sendrecv', read_direction(offered, media))}")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def only_agreed(remote: sdp.SessionDescription, local: bytes) -> sdp.SessionDescription:
    """A peer's description without the codecs that were not agreed on with it. `local`: ours."""
    agreed = sdp.parse_description(local)
    media = list(remote.media)
    for at, (each, ours) in enumerate(zip(remote.media, agreed.media, strict=False)):
        kept = tuple(number for number in each.formats if number in ours.formats)
        media[at] = with_formats(each, kept) if ours.port and kept else replace(each, port=0)
    return sdp.SessionDescription(remote.lines, tuple(media))


def _formats(media: sdp.MediaDescription) -> tuple[str, ...]:
    """The payload types to accept of an m-line: one codec of the core, and telephone-event at its
    clock; none where it has no such audio."""
    if media.kind != "audio" or not (media.relayed and media.is_open):
        return ()
    types = media.payload_types()
    codecs = {str(number) for number in (*types.mu, *types.a, *types.g722)}
    codec = next((number for number in media.formats if number in codecs), None)
    if codec is None:
        return ()
    rates = encodings_by_type(tuple(media.find_attributes("rtpmap")))
    events = [number for number in map(str, types.events) if rates.get(number, ("", ""))[1] == "8000"]
    return (codec, *events[:1])


def _is_about(line: str, formats: tuple[str, ...]) -> bool:
    return line.startswith(_OF_FORMAT) and payload_type(line) in formats
