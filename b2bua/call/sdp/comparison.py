"""Whether two session descriptions ask for the same, wherever their ends are."""

from __future__ import annotations

from b2bua.call.sdp.description import SessionDescription


def same_media(one: SessionDescription, other: SessionDescription) -> bool:
    """Whether both ask for the same: streams, formats and all their attributes; addresses and
    origin apart."""
    return _asked(one) == _asked(other)


def _asked(described: SessionDescription) -> list[object]:
    asked: list[object] = [sorted(line for line in described.lines if line.startswith("a="))]
    for media in described.media:
        attributes = sorted(
            line for line in media.lines if line.startswith("a=") and line.strip() != "a=sendrecv"
        )
        asked.append((media.kind, media.port == 0, media.protocol, media.formats, attributes))
    return asked
