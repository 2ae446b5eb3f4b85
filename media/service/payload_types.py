"""The payload types that were ever agreed in an m-line.

Rule 1: a payload type that any description of the session called telephone-event stays one: a
        re-INVITE in flight must not turn an event into audio. One that stood for two codecs is one
        that cannot be looked into.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from media.codecs import DecodedCodec
from media.events import Side
from media.stream_description import RemoteStream


def _audio_types(remote: RemoteStream) -> set[int]:
    decoded = {number for number, _ in remote.decoded_types}
    return decoded.union(
        remote.mu_types,
        remote.a_types,
        remote.g722_types,
        remote.opaque_types,
        remote.other_types,
        remote.red_types,
    )


@dataclass(slots=True)
class PayloadTypes:
    """The payload types of one m-line: the same number may be telephone-event here and video
    there."""

    events: set[int] = field(default_factory=set)
    mu: set[int] = field(default_factory=set)
    a: set[int] = field(default_factory=set)
    g722: set[int] = field(default_factory=set)
    decoded: dict[int, DecodedCodec] = field(default_factory=dict)
    opaque: set[int] = field(default_factory=set)
    other: set[int] = field(default_factory=set)
    red: set[int] = field(default_factory=set)
    # The sides that have agreed on no telephone-event: none leaves for them.
    without_events: set[Side] = field(default_factory=set)

    def learn(self, remote: RemoteStream, side: Side) -> None:
        """A description of this side has these types."""
        self.events.update(remote.event_types)
        # A number that meant events before, and audio now, is dropped towards the agent alone.
        reused = side is Side.CALLER and bool(self.events & _audio_types(remote))
        if remote.event_types or reused:
            self.without_events.discard(side)
        else:
            self.without_events.add(side)
        self.mu.update(remote.mu_types)
        self.a.update(remote.a_types)
        self.g722.update(remote.g722_types)
        self.opaque.update(remote.opaque_types)
        self.other.update(remote.other_types)
        self.red.update(remote.red_types)
        self.opaque |= (
            (self.mu & self.a)
            | (self.g722 & (self.mu | self.a))
            | (self.red & (self.mu | self.a | self.g722 | self.other))
        )
        for number, codec in remote.decoded_types:
            if (
                self.decoded.setdefault(number, codec) is not codec
                or number in self.mu | self.a | self.g722 | self.red
            ):
                self.opaque.add(number)

    @property
    def is_heard_by_core(self) -> bool:
        """Whether tones in it are heard by the core itself."""
        return bool(self.mu or self.a or self.g722)

    def lists(self) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]:
        """As `Relay.set_types` takes them."""
        decoded = bytes(byte for number, codec in self.decoded.items() for byte in (number, codec.number))
        events, other, mu, a, opaque = map(bytes, (self.events, self.other, self.mu, self.a, self.opaque))
        return events, other, mu, a, opaque, decoded, bytes(self.red), bytes(self.g722)
