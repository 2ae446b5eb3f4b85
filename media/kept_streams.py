"""The messages about sockets of RTP and RTCP that outlive a media process, between media and the
supervisor, which keeps copies of them; and the size of the recovery page, which it makes.

Rule 1: a message is JSON, and begins with a brace: none of the other messages on that channel does.
Rule 2: what is no such message is None: the other end may be of another version.
"""

from __future__ import annotations

from typing import Final

import msgspec

from media.messages.base import SessionId

PAGE: Final = "streams"
"""The name of the recovery page among the descriptors that media inherits."""
LISTENER: Final = "media_sock"
"""The name of the socket on which it takes commands, in the same table."""
SLOTS: Final = 16_384
"""Of the page: so many streams can be kept."""
SLOT_OCTETS: Final = 8_192
"""Of a slot of the page (`RECOVERY_SLOT` in media/_core.pyi)."""
SOCKETS: Final = 4
"""Of a stream: RTP and RTCP towards the caller, the same towards the agent."""
HAND_OVER: Final = b"hand over"
"""The supervisor's wish that the next process goes on, now: media ends, or refuses it."""
LONGEST: Final = 512  # bytes of a message


class KeepStream(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="keep"):
    """Keep the sockets that come with it: of the m-line `stream` of a session, whose state is in
    this slot of the page. Media says so; and so does the supervisor to the next media process."""

    session: SessionId
    stream: int
    slot: int


class ForgetStream(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="forget"):
    """The stream of this slot is closed: so are the copies."""

    slot: int


class HandOverRefused(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="refused"):
    """Media does not end now: so many captures are under way, and so many sessions cannot be
    restored. Both 0: ask again."""

    captures: int = 0
    sessions: int = 0


class AllKept(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="all"):
    """The supervisor has sent all that it kept."""


StreamMessage = KeepStream | ForgetStream | AllKept | HandOverRefused
_DECODER: msgspec.json.Decoder[StreamMessage] = msgspec.json.Decoder(StreamMessage)


def is_stream_message(message: bytes) -> bool:
    """Whether it is one of these."""
    return message.startswith(b"{")


def encode(message: StreamMessage) -> bytes:
    """As it is sent. Raises ValueError where it is too long."""
    encoded = msgspec.json.encode(message)
    if len(encoded) > LONGEST:
        raise ValueError("a message of more bytes than the other end reads")
    return encoded


def decode(message: bytes) -> StreamMessage | None:
    """As it was sent; None for what is none."""
    try:
        found = _DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(found, KeepStream | ForgetStream) and not 0 <= found.slot < SLOTS:
        return None
    return found
