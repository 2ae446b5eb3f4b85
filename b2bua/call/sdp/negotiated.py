"""What the two ends of a call have agreed on (RFC 3264): a codec, and how keys travel."""

from __future__ import annotations

from collections.abc import Mapping

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.codecs import Codec, codecs_by_type


def agreed_codec(one: sdp.SessionDescription, other: sdp.SessionDescription) -> Codec | None:
    """The audio codec that is most likely used between the two: the first of the shorter list that
    the other has too."""
    lists = [_codecs(description) for description in (one, other)]
    first, second = sorted(lists, key=len)
    known = set(second)
    return next((codec for codec in first if codec in known), None)


def agrees_on_events(one: sdp.SessionDescription, other: sdp.SessionDescription) -> bool:
    """Whether keys travel as telephone-event between the two: an m-line of both has it. Else phones
    send tones."""
    return any(
        mine.capturable and yours.capturable for mine, yours in zip(one.media, other.media, strict=False)
    )


def agrees_on_tones(one: sdp.SessionDescription, other: sdp.SessionDescription) -> bool:
    """Whether media would hear tones between the two."""
    return any(mine.heard and yours.heard for mine, yours in zip(one.media, other.media, strict=False))


def received_codec(described: sdp.SessionDescription, types: Mapping[int, int]) -> Codec | None:
    """The audio codec of which most packets came. `types`: packets of each payload type, as
    `described` names them."""
    named = _named(described)
    counted = {codec: types.get(int(number), 0) for number, codec in named.items()}
    codec = max(counted, key=lambda each: counted[each], default=None)
    return codec if codec is not None and counted[codec] else None


def _codecs(described: sdp.SessionDescription) -> list[Codec]:
    return list(_named(described).values())


def _named(described: sdp.SessionDescription) -> dict[str, Codec]:
    media = next((media for media in described.media if media.kind == "audio" and media.port), None)
    return {} if media is None else codecs_by_type(media.formats, media.find_attributes("rtpmap"))
