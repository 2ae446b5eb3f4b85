"""Hold, in whichever form (RFC 3264 section 8.4): whether a description asks for it, and the same
without it."""

from __future__ import annotations

from dataclasses import replace

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.addresses import NOWHERE
from b2bua.call.sdp.directions import read_direction

DIRECTIONS = frozenset({"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"})


def is_hold(described: sdp.SessionDescription) -> bool:
    """Whether its end keeps the other on hold, in whichever form (RFC 3264 section 8.4): as its
    audio in use says, or where there is none, what else is in use."""
    used = [media for media in described.media if media.port]
    heard = [media for media in used if media.kind == "audio"] or used
    return any(
        described.find_address(media) in NOWHERE
        or read_direction(described, media) in {"sendonly", "inactive"}
        for media in heard
    )


def without_hold(described: sdp.SessionDescription) -> sdp.SessionDescription:
    """The same session, not on hold, in whichever form it was (RFC 3264 section 8.4)."""

    def strip_hold(held: tuple[str, ...]) -> tuple[str, ...]:
        # Any address but nowhere: our own takes its place when it is rewritten.
        awake = ["c=IN IP4 127.0.0.1" if _nowhere(line) else line for line in held]
        return tuple(line for line in awake if line.strip() not in DIRECTIONS)

    media = tuple(replace(each, lines=strip_hold(each.lines)) for each in described.media)
    return sdp.SessionDescription(strip_hold(described.lines), media)


def _nowhere(line: str) -> bool:
    return line.startswith("c=") and line.rsplit(maxsplit=1)[-1] in NOWHERE
