"""Hold, in whichever form (RFC 3264 section 8.4): whether a description asks for it, and the same without it."""

from __future__ import annotations

from dataclasses import replace

from b2bua.call import sdp
from b2bua.call.addresses import NOWHERE

DIRECTIONS = frozenset({"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"})


def holds(described: sdp.SessionDescription) -> bool:
    """Whether its end keeps the other on hold, in whichever form (RFC 3264 section 8.4)."""
    lines = [*described.lines, *(line for media in described.media for line in media.lines)]
    return any(_nowhere(line) or line.strip() in {"a=sendonly", "a=inactive"} for line in lines)


def resumed(described: sdp.SessionDescription) -> sdp.SessionDescription:
    """The same session, not on hold, in whichever form it was (RFC 3264 section 8.4)."""

    def lines(held: tuple[str, ...]) -> tuple[str, ...]:
        # Any address but nowhere: our own takes its place when it is rewritten.
        awake = ["c=IN IP4 127.0.0.1" if _nowhere(line) else line for line in held]
        return tuple(line for line in awake if line.strip() not in DIRECTIONS)

    media = tuple(replace(each, lines=lines(each.lines)) for each in described.media)
    return sdp.SessionDescription(lines(described.lines), media)


def _nowhere(line: str) -> bool:
    return line.startswith("c=") and line.rsplit(maxsplit=1)[-1] in NOWHERE
