"""Summarises session descriptions for ladders: media, codecs, protocol and direction, each a word
of our tables.

Rule 1: no byte of the description is kept, not even in the key of the cache: it is a hash.
Rule 2: no body of a peer raises; unreadable parts are left out.
"""

from __future__ import annotations

from typing import Final

import msgspec

from b2bua.ladder.words import CODECS, DIRECTIONS, KINDS, OTHER, PROTOCOLS, STATIC

_MAX_MEDIA: Final = 8
_MAX_CODECS: Final = 12
_MAX_KNOWN: Final = 1024


class Media(msgspec.Struct, frozen=True, gc=False):
    """One m-line. `off`: its port is 0."""

    kind: str
    protocol: str
    codecs: tuple[str, ...]
    direction: str
    off: bool = False


Summary = tuple[Media, ...]


class Summaries:
    """Summarises bodies, with a cache: the phones of a trunk send the same few descriptions in
    every call, but for ports and origin."""

    def __init__(self) -> None:
        self._known: dict[int, Summary] = {}

    def summarise(self, body: bytes) -> Summary:
        """The media of a body; empty where it has no m-line."""
        start = body.find(b"\nm=")
        if start < 0:
            return ()
        kind = body.find(b" ", start)
        port = body.find(b" ", kind + 1)
        attributes = body.find(b"\na=", 0, start)
        # Everything that the summary depends on: attributes of the session, and the media without
        # their first port.
        key = hash(
            (
                body[attributes:start] if attributes >= 0 else b"",
                body[start:kind],
                body[kind:port] == b" 0",
                body[port:],
            )
        )
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[key] = _summarise_body(body)
        return known


def _summarise_body(body: bytes) -> Summary:
    head, *sections = body.decode("latin-1").replace("\r\n", "\n").split("\nm=")
    session = _direction(head.split("\n"), "sendrecv")
    return tuple(_summarise_media(section.split("\n"), session) for section in sections[:_MAX_MEDIA])


def _summarise_media(lines: list[str], session: str) -> Media:
    kind, port, protocol, formats = (*lines[0].split(" ", 3), "", "", "", "")[:4]
    names = dict(STATIC)
    for line in lines[1:]:
        if line.startswith("a=rtpmap:"):
            number, _, encoding = line[9:].partition(" ")
            names[number] = encoding.partition("/")[0]
    found = (CODECS.get(names.get(one, one).strip().lower(), OTHER) for one in formats.split())
    return Media(
        kind if kind in KINDS else OTHER,
        PROTOCOLS.get(protocol.lower(), OTHER),
        tuple(dict.fromkeys(found))[:_MAX_CODECS],
        _direction(lines, session),
        port.partition("/")[0] == "0",
    )


def _direction(lines: list[str], default: str) -> str:
    named = [line[2:].strip() for line in lines if line.startswith("a=")]
    return next((name for name in named if name in DIRECTIONS), default)
