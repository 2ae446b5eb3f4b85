"""What the two ends of a call have agreed on (RFC 3264): a codec, and how keys travel."""

from __future__ import annotations

from b2bua.call import sdp
from b2bua.call.codecs import Codec, named_codecs


def agreed_codec(one: sdp.SessionDescription, other: sdp.SessionDescription) -> Codec | None:
    """The audio codec that is most likely used between the two: the first of the shorter list that the other has too."""
    lists = [_codecs(description) for description in (one, other)]
    first, second = sorted(lists, key=len)
    known = set(second)
    return next((codec for codec in first if codec in known), None)


def agree_on_keys(one: sdp.SessionDescription, other: sdp.SessionDescription) -> bool:
    """Whether keys travel as telephone-event between the two: an m-line of both has it. Else phones send tones."""
    return any(mine.capturable and yours.capturable for mine, yours in zip(one.media, other.media, strict=False))


def agree_on_tones(one: sdp.SessionDescription, other: sdp.SessionDescription) -> bool:
    """Whether media would hear tones between the two."""
    return any(mine.heard and yours.heard for mine, yours in zip(one.media, other.media, strict=False))


def _codecs(described: sdp.SessionDescription) -> list[Codec]:
    media = next((media for media in described.media if media.kind == "audio" and media.port), None)
    if media is None:
        return []
    return named_codecs(media.formats, media.attributes("rtpmap"))
