"""Directions of media (RFC 3264 sections 5.1 and 6.1): which way an m-line flows, seen from who
describes it."""

from __future__ import annotations

from dataclasses import replace

from b2bua.call.sdp import description as sdp

_SENDS_RECEIVES = {
    "sendrecv": (True, True), "sendonly": (True, False), "recvonly": (False, True),
    "inactive": (False, False),
}  # fmt: skip
_NAMED = {flows: name for name, flows in _SENDS_RECEIVES.items()}


def read_direction(described: sdp.SessionDescription, media: sdp.MediaDescription) -> str:
    """That of an m-line: its own, else the session's, else sendrecv."""
    return _of(media.lines) or _of(described.lines) or "sendrecv"


def narrow_direction(answer: str, offer: str) -> str:
    """What of an answer's direction the offer allows (section 6.1)."""
    (sends, receives), (offered, taken) = _SENDS_RECEIVES[answer], _SENDS_RECEIVES[offer]
    return _NAMED[sends and taken, receives and offered]


def with_direction(media: sdp.MediaDescription, name: str) -> sdp.MediaDescription:
    """The m-line with this direction."""
    kept = tuple(line for line in media.lines if _named(line) is None)
    return replace(media, lines=(*kept, f"a={name}"))


def narrow_directions(
    answer: sdp.SessionDescription, offer: sdp.SessionDescription
) -> sdp.SessionDescription:
    """The answer with each direction narrowed to what the offer allows."""
    media = list(answer.media)
    for index, (each, offered) in enumerate(zip(answer.media, offer.media, strict=False)):
        own = read_direction(answer, each)
        fitting = narrow_direction(own, read_direction(offer, offered))
        media[index] = each if fitting == own else with_direction(each, fitting)
    return sdp.SessionDescription(answer.lines, tuple(media))


def _of(lines: tuple[str, ...]) -> str | None:
    return next((name for line in lines if (name := _named(line)) is not None), None)


def _named(line: str) -> str | None:
    name = line[2:].strip() if line.startswith("a=") else ""
    return name if name in _SENDS_RECEIVES else None
