"""The telephone-event payload (RFC 4733 section 2.3): one event, or several that follow one on the other (section 2.5.1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

KEYS = b"0123456789*#ABCD"  # by event code, RFC 4733 section 3.2
EVENT_BLOCKS = 8  # more events than a packet has use for; a voice frame of a bigger packet is never an event
SEGMENT = 0xFFFF  # the longest duration of one segment, section 2.5.1.3


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """`duration` in rtp_timestamp units. The code is what was keyed: it is in no repr."""

    code: int = field(repr=False)
    end: bool
    duration: int
    volume: int = 10


def parse(payload: bytes) -> TelephoneEvent | None:
    """The first event of a payload, or None where it is too short. Whether it is a key is for `is_key`."""
    if len(payload) < 4:
        return None
    return TelephoneEvent(
        code=payload[0],
        end=bool(payload[1] >> 7),
        volume=payload[1] & 0x3F,
        duration=int.from_bytes(payload[2:4], "big"),
    )


def packed(payload: bytes) -> Iterator[tuple[int, TelephoneEvent]]:
    """Every event of a payload, with how long after the first it began: where the one before it has ended, or its segment.

    What else stands behind an event, such as filling, is none.
    """
    began, follows = 0, True
    for at in range(0, min(len(payload) - 3, 4 * EVENT_BLOCKS), 4):
        event = parse(payload[at:])
        if event is None or not follows or (at and not event.duration):
            return
        yield began, event
        began += event.duration
        follows = event.end or event.duration == SEGMENT


def serialise(event: TelephoneEvent) -> bytes:
    return bytes((event.code, event.end << 7 | event.volume)) + event.duration.to_bytes(2, "big")


def is_key(event: TelephoneEvent) -> bool:
    """Whether it is one of the sixteen DTMF keys, not a hook flash or another signal."""
    return event.code < len(KEYS)


def looks_like_event(payload: bytes) -> bool:
    """Whether an audio payload could be keys under a wrong payload type: up to eight blocks that each begin with a key's code.

    The reserved bit is left out of it: RFC 4733 section 2.3.2 has receivers ignore it. Random bytes of n blocks look like
    events once in 16**n; G.711 packets are longer, so that it is short frames, silence descriptors above all, that are lost.
    """
    codes = payload[::4]
    return len(payload) % 4 == 0 and 0 < len(codes) <= EVENT_BLOCKS and max(codes) < len(KEYS)
