"""What media and its decoder process say to each other: packets one way, whether each may leave the
other.

Rule 1: an answer opens one packet or shuts it, or says that a key was heard: in what came, or in
        what left. It has no room for anything else, and least of all for a digit.
Rule 2: the form of messages is that of `media/core/relay/decoder.c`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from media.codecs import DecodedCodec

_ASKED = struct.Struct("<qIBBBH")
_ANSWER = struct.Struct("<qIB")
MAX_BYTES = _ASKED.size + 2048


class RequestKind(IntEnum):
    """What media asks or reports of a stream."""

    AUDIO = 0
    EVENT = 1  # a press was sent as an event: audio is shut for a while
    FORGET = 2  # its mask is off
    LEFT = 3  # this is what leaves for the agent, as it came or as silence


class AnswerKind(IntEnum):
    """What is answered."""

    SHUT = 0
    OPEN = 1
    LEAKED = 2  # a key was heard in what left; of no serial
    TONE = 3  # a key was heard in what came, and shut; of no serial


@dataclass(frozen=True, slots=True)
class Request:
    """One message to the decoder. `policy` and `guard` (blocks of 5 ms) are the mask's: see
    media/reference/audio_hold.py."""

    stream: int
    serial: int
    what: RequestKind
    codec: DecodedCodec | None
    policy: int
    guard: int
    payload: bytes = field(default=b"", repr=False)


def read_asked(message: bytes) -> Request:
    """Raises ValueError, struct.error."""
    stream, serial, what, codec, policy, guard = _ASKED.unpack_from(message)
    return Request(
        stream, serial, RequestKind(what), DecodedCodec.numbered(codec), policy, guard, message[_ASKED.size :]
    )


def compose_answer(stream: int, serial: int, said: AnswerKind) -> bytes:
    """Whether the packet may leave as it came."""
    return _ANSWER.pack(stream, serial, said)
