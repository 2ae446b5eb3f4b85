"""The telephone-event payload (RFC 4733 section 2.3): one event, or several that follow one on the
other (section 2.5.1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

KEYS = b"0123456789*#ABCD"  # by event code, RFC 4733 section 3.2
EVENT_BLOCKS = 8  # more events than a packet has use for
MIN_FRAME = 40  # octets: 5 ms of G.711 and G.722; of less, nothing tells audio from events
SEGMENT = 0xFFFF  # the longest duration of one segment, section 2.5.1.3


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """`duration` in rtp_timestamp units. The code is what was keyed: it is in no repr."""

    code: int = field(repr=False)
    end: bool
    duration: int
    volume: int = 10


def parse(payload: bytes) -> TelephoneEvent | None:
    """The first event of a payload, or None where it is too short. Whether it is a key is for
    `is_key`."""
    if len(payload) < 4:
        return None
    return TelephoneEvent(
        code=payload[0],
        end=bool(payload[1] >> 7),
        volume=payload[1] & 0x3F,
        duration=int.from_bytes(payload[2:4], "big"),
    )


def packed(payload: bytes) -> Iterator[tuple[int, TelephoneEvent]]:
    """Every event of a payload, with how long after the first it began: where the one before it has
    ended, or its segment.

    What else stands behind an event, such as filling, is none.
    """
    began, follows = 0, True
    for at in range(0, len(payload) - 3, 4):
        event = parse(payload[at:])
        if event is None or not follows or (at and not event.duration):
            return
        yield began, event
        began += event.duration
        follows = event.end or event.duration == SEGMENT


def serialise(event: TelephoneEvent) -> bytes:
    """The four octets of the event; the reserved bit is 0."""
    return bytes((event.code, event.end << 7 | event.volume)) + event.duration.to_bytes(2, "big")


def is_key(event: TelephoneEvent) -> bool:
    """Whether it is one of the sixteen DTMF keys, not a hook flash or another signal."""
    return event.code < len(KEYS)


def looks_like_event(payload: bytes) -> bool:
    """Whether a payload of another type could be keys: events, each with a key's code, and behind
    them nothing but the begin of the first again, or one byte over and over. MIN_FRAME octets
    that are all the same are a line at rest, and none.

    The reserved bit is left out of it: RFC 4733 section 2.3.2 has receivers ignore it. By chance n
    blocks look so once in 16**n, and what is filled is silence of which the first sample is among
    the loudest; neither is seen in speech of 40 octets or more. It is short frames, silence
    descriptors above all, that are lost.
    """
    blocks = [payload[at : at + 4] for at in range(0, len(payload), 4)]
    if len(payload) < 4 or payload[0] >= len(KEYS) or (len(payload) >= MIN_FRAME and len(set(payload)) == 1):
        return False
    for number, block in enumerate(blocks):
        is_event = block[0] < len(KEYS) if len(block) == 4 else blocks[0].startswith(block)
        if not is_event:
            return len(set(payload[4 * number :])) == 1
    return True
