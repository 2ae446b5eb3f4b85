"""Fits an answer to its offer (RFC 3264 section 6): what the offer did not ask for is taken out,
and never handed on.

Rule 1: an answer has as many m-lines as its offer, each of the kind and protocol that was offered
        there; any other is refused in its place, with port 0, and so is one that the offer refused.
Rule 2: a codec that was not offered goes. Its payload type may be another one (section 5.1): its
        name decides.
Rule 3: a direction is narrowed to what the offer allows (section 6.1).
Rule 4: an answer of which thereby nothing is left in use is none.
"""

from __future__ import annotations

from dataclasses import replace

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.codecs import find_encodings, is_codec
from b2bua.call.sdp.directions import narrow_direction, read_direction, with_direction
from b2bua.call.sdp.filters import with_formats


def fit_answer(
    answer: sdp.SessionDescription, offer: sdp.SessionDescription
) -> sdp.SessionDescription | None:
    """The answer as far as it fits the offer; None where nothing of it does."""
    media = tuple(
        _fit_media(answer, answer.media[index], offer, offered)
        if index < len(answer.media)
        else _refuse(offered)
        for index, offered in enumerate(offer.media)
    )
    if any(each.port for each in answer.media) and not any(each.port for each in media):
        return None
    return answer if media == answer.media else sdp.SessionDescription(answer.lines, media)


def fit_across_legs(
    answer: sdp.SessionDescription, offer: sdp.SessionDescription
) -> sdp.SessionDescription | None:
    """One leg's description as an answer to the other leg's offer: SRTP ends at each leg, and makes
    no difference."""
    media = list(answer.media)
    for index, (each, offered) in enumerate(zip(answer.media, offer.media, strict=False)):
        if each.is_rtp and offered.is_rtp and each.is_open and offered.is_open:
            media[index] = replace(each, protocol=offered.protocol)
    fit = fit_answer(sdp.SessionDescription(answer.lines, tuple(media)), offer)
    if fit is None:
        return None
    own = [
        replace(each, protocol=was.protocol) if each.port and each.is_rtp else each
        for each, was in zip(fit.media, answer.media, strict=False)
    ]
    return sdp.SessionDescription(fit.lines, (*own, *fit.media[len(own) :]))


def _fit_media(
    answer: sdp.SessionDescription,
    media: sdp.MediaDescription,
    offer: sdp.SessionDescription,
    offered: sdp.MediaDescription,
) -> sdp.MediaDescription:
    if media.kind != offered.kind or _without_feedback(media.protocol) != _without_feedback(offered.protocol):
        return _refuse(offered)
    if media.protocol != offered.protocol:
        media = replace(media, protocol=offered.protocol)
    if not media.port:
        return media
    formats = _offered_formats(media, offered) if offered.port else ()
    if not formats:
        return _refuse(offered)
    media = with_formats(media, formats) if formats != media.formats else media
    own = read_direction(answer, media)
    fitting = narrow_direction(own, read_direction(offer, offered))
    return media if fitting == own else with_direction(media, fitting)


def _offered_formats(media: sdp.MediaDescription, offered: sdp.MediaDescription) -> tuple[str, ...]:
    """The formats of an answer that were offered; none where no codec is among them."""
    if not media.is_rtp:
        known = {each.lower() for each in offered.formats}
        return tuple(each for each in media.formats if each.lower() in known)
    own, theirs = (find_encodings(each.formats, each.find_attributes("rtpmap")) for each in (media, offered))
    names = set(theirs.values())
    kept = tuple(
        each
        for each in media.formats
        if own[each] in names
        or (each in theirs and own[each].partition("/")[0] == theirs[each].partition("/")[0])
    )
    wanted = any(is_codec(name) for name in names)
    return kept if not wanted or any(is_codec(own[each]) for each in kept) else ()


def _refuse(offered: sdp.MediaDescription) -> sdp.MediaDescription:
    return replace(offered, port=0, ports=1, formats=offered.formats[:1], lines=())


def _without_feedback(protocol: str) -> str:
    """The protocol without its feedback (RFC 4585): an answer without it gives that up, and nothing
    else."""
    name = protocol.upper()
    return name.removesuffix("F") if name.startswith("RTP/") else name
