"""Where keys of ours go as telephone-event (RFC 4733), once two ends have described their sessions."""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call import sdp
from b2bua.call.codecs import named


@dataclass(frozen=True, slots=True)
class EventStream:
    """The m-line, by its place, in which telephone-event can be sent, with that payload type and clock rate (Hz)."""

    stream: int
    payload_type: int
    clock_rate: int


def events_between(sender: sdp.SessionDescription, receiver: sdp.SessionDescription) -> EventStream | None:
    """Where the receiver takes telephone-event at the clock of the audio that goes there (RFC 4733 section 2.1)."""
    codec = sdp.agreed_codec(sender, receiver)
    for stream, (from_, to) in enumerate(zip(sender.media, receiver.media, strict=False)):
        if codec is None or not (from_.capturable and to.capturable):
            continue
        rates = named(tuple(to.attributes("rtpmap")))
        for number in to.payload_types().events:
            if rates.get(str(number), ("", ""))[1] == str(codec.clock_rate):
                return EventStream(stream, number, codec.clock_rate)
    return None
