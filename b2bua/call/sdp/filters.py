"""Descriptions that say less: m-lines refused, codecs left out, or nothing but what was said
before.

Rule 1: an m-line is never removed: one of which nothing is left is refused, with port 0 (RFC 3264
        section 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp import sdes
from b2bua.call.sdp.codecs import decodable_formats
from b2bua.call.sdp.hold import DIRECTIONS
from b2bua.call.sdp.lines import lines_of_formats, order_lines


def refuse_clear_rtp(described: sdp.SessionDescription) -> sdp.SessionDescription:
    """The description with all RTP refused that is not encrypted."""
    media = tuple(replace(each, port=0) if each.protocol in sdp.CLEAR else each for each in described.media)
    return sdp.SessionDescription(described.lines, media)


def limit_media(described: sdp.SessionDescription, most: int) -> sdp.SessionDescription:
    """The description with all m-lines refused beyond the first so many."""
    if not any(each.port for each in described.media[most:]):
        return described
    refused = tuple(replace(each, port=0) for each in described.media[most:])
    return sdp.SessionDescription(described.lines, described.media[:most] + refused)


def limit_kinds(described: sdp.SessionDescription, kinds: frozenset[str]) -> sdp.SessionDescription:
    """The description with all m-lines refused whose kind (audio, video, image, …) is not among
    these."""
    if all(media.kind in kinds for media in described.media):
        return described
    media = tuple(each if each.kind in kinds else replace(each, port=0) for each in described.media)
    return sdp.SessionDescription(described.lines, media)


def without_opaque_audio(described: sdp.SessionDescription, *, decoded: bool) -> sdp.SessionDescription:
    """The description without the audio codecs that media cannot look into; an m-line that has no
    other is refused.

    `decoded`: there is a decoder process. Audio whose keys we do not have stays: no card is
    captured in it (see `MediaDescription.capturable`).
    """
    media = tuple(
        _without_opaque(each, decoded) if each.kind == "audio" and each.is_open else each
        for each in described.media
    )
    return described if media == described.media else sdp.SessionDescription(described.lines, media)


def _without_opaque(media: sdp.MediaDescription, decoded: bool) -> sdp.MediaDescription:
    formats = decodable_formats(
        media.formats, media.find_attributes("rtpmap"), media.find_attributes("fmtp"), decoded
    )
    if not formats:
        return replace(media, port=0)
    return with_formats(media, formats)


def with_formats(media: sdp.MediaDescription, formats: tuple[str, ...]) -> sdp.MediaDescription:
    """The m-line with these of its formats."""
    if formats == media.formats and media.facts.about.issubset((*formats, "*")):
        return media
    return replace(media, formats=formats, lines=lines_of_formats(media.lines, formats))


def echo_known(
    described: sdp.SessionDescription, known: Sequence[sdp.SessionDescription]
) -> sdp.SessionDescription | None:
    """What is left of a description when it may say nothing but what `known` said: its address,
    ports and directions, and of the rest the lines and formats that stand in one of those. None
    where no format of an m-line in use is left."""
    session = {line for each in known for line in each.lines}
    kept = [
        line
        for line in described.lines
        if _is_plain(line) or (line in session and line[:2] not in ("v=", "s=", "t="))
    ]
    media = []
    for index, each in enumerate(described.media):
        before = [other.media[index] for other in known if index < len(other.media)]
        same = [other for other in before if (other.kind, other.protocol) == (each.kind, each.protocol)]
        said = {format_ for other in same for format_ in other.formats}
        formats = tuple(format_ for format_ in each.formats if format_ in said)
        if each.port and not formats:
            return None
        lines = {line for other in same for line in other.lines}
        media.append(
            sdp.MediaDescription(
                kind=each.kind if same else "audio",
                port=each.port if same else 0,
                ports=1,
                protocol=each.protocol if same else "RTP/AVP",
                formats=formats or ("0",),
                lines=tuple(line for line in each.lines if _is_plain(line) or line in lines),
            )
        )
    return sdp.SessionDescription(order_lines(["v=0", "s=-", *kept, "t=0 0"], of_session=True), tuple(media))


def pad_media(
    described: sdp.SessionDescription, before: sdp.SessionDescription | None
) -> sdp.SessionDescription:
    """The description with all m-lines that its end has had before: what it leaves out at the end
    is refused in its place (RFC 3264 section 8: there are never fewer)."""
    missing = before.media[len(described.media) :] if before is not None else ()
    if not missing:
        return described
    refused = tuple(replace(each, port=0, ports=1, formats=each.formats[:1], lines=()) for each in missing)
    return sdp.SessionDescription(described.lines, (*described.media, *refused))


def trim_media(described: sdp.SessionDescription, most: int) -> sdp.SessionDescription:
    """The description without refused m-lines at its end, for an end that knows of no more than so
    many."""
    used = max((at for at, each in enumerate(described.media, 1) if each.port), default=1)
    return sdp.SessionDescription(described.lines, described.media[: max(most, used)])


def _is_plain(line: str) -> bool:
    """An address, a direction, our peer's RTCP port or its key: read here, and written anew for the
    other leg."""
    is_key = (
        line.startswith(sdes.ATTRIBUTE) and sdes.parse_crypto(line.removeprefix(sdes.ATTRIBUTE)) is not None
    )
    return is_key or line.startswith(("o=", "c=", "a=rtcp:")) or line.strip() in DIRECTIONS
