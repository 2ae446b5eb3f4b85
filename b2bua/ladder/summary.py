"""What a ladder keeps of a session description: media, codecs, protocol and direction, each a word
of our tables.

Rule 1: no byte of the description is kept, not as the key of a cache either: its key is a hash.
Rule 2: nothing that a peer sends raises; what cannot be read is left out.
"""

from __future__ import annotations

from typing import Final

import msgspec

from b2bua.ladder.words import CODECS, DIRECTIONS, KINDS, OTHER, PROTOCOLS, STATIC

_MOST_MEDIA: Final = 8
_MOST_CODECS: Final = 12
_MOST_KNOWN: Final = 1024


class Media(msgspec.Struct, frozen=True, gc=False):
    """One m-line. `off`: its port is 0."""

    kind: str
    protocol: str
    codecs: tuple[str, ...]
    direction: str
    off: bool = False


Summary = tuple[Media, ...]


class Summaries:
    """Describes bodies. A trunk's phones send the same few descriptions in every call, but for
    ports and origin."""

    def __init__(self) -> None:
        self._known: dict[int, Summary] = {}

    def of(self, body: bytes) -> Summary:
        """What a body says of media; empty where it has no m-line."""
        start = body.find(b"\nm=")
        if start < 0:
            return ()
        kind = body.find(b" ", start)
        port = body.find(b" ", kind + 1)
        attributes = body.find(b"\na=", 0, start)
        # All that the summary depends on: attributes of the session, and the media without their
        # first port.
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
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[key] = _read(body)
        return known


def _read(body: bytes) -> Summary:
    head, *sections = body.decode("latin-1").replace("\r\n", "\n").split("\nm=")
    session = _direction(head.split("\n"), "sendrecv")
    return tuple(_media(section.split("\n"), session) for section in sections[:_MOST_MEDIA])


def _media(lines: list[str], session: str) -> Media:
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
        tuple(dict.fromkeys(found))[:_MOST_CODECS],
        _direction(lines, session),
        port.partition("/")[0] == "0",
    )


def _direction(lines: list[str], default: str) -> str:
    named = [line[2:].strip() for line in lines if line.startswith("a=")]
    return next((name for name in named if name in DIRECTIONS), default)
