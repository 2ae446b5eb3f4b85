"""Where keys of ours go as telephone-event (RFC 4733), and how that is agreed on with one end
alone.

Rule 1: what a customer's side does not offer is offered to the agent's by us, and not described to
        the customer's.
Rule 2: whether a card can be keyed is decided by what the customer's side said itself
        (`agrees_on_events`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from b2bua.call.sdp import description as sdp
from b2bua.call.sdp.codecs import encodings_by_type, list_codecs
from b2bua.call.sdp.filters import with_formats
from b2bua.call.sdp.negotiated import agreed_codec

_USUAL_RATE = 8000


@dataclass(frozen=True, slots=True)
class EventStream:
    """The m-line, by its place, in which telephone-event can be sent, with that payload type and
    clock rate (Hz)."""

    stream: int
    payload_type: int
    clock_rate: int


def events_between(sender: sdp.SessionDescription, receiver: sdp.SessionDescription) -> EventStream | None:
    """Where the receiver takes telephone-event at the clock of the audio that goes there (RFC 4733
    section 2.1)."""
    codec = agreed_codec(sender, receiver)
    for stream, (from_, to) in enumerate(zip(sender.media, receiver.media, strict=False)):
        if codec is None or not (from_.capturable and to.capturable):
            continue
        rates = encodings_by_type(tuple(to.find_attributes("rtpmap")))
        for number in to.payload_types().events:
            if rates.get(str(number), ("", ""))[1] == str(codec.clock_rate):
                return EventStream(stream, number, codec.clock_rate)
    return None


def with_events(
    described: sdp.SessionDescription, theirs: sdp.SessionDescription | None
) -> sdp.SessionDescription:
    """The customer's session as it is described to the agent's side, with telephone-event in its
    audio.

    `theirs`: what the agent's side said, whose payload types these are; None: it has said nothing
    yet.
    """
    media = tuple(
        _with_events(
            each, theirs is None, theirs.media[index] if theirs and index < len(theirs.media) else None
        )
        for index, each in enumerate(described.media)
    )
    return sdp.SessionDescription(described.lines, media)


def _with_events(
    media: sdp.MediaDescription, is_first: bool, theirs: sdp.MediaDescription | None
) -> sdp.MediaDescription:
    if media.kind != "audio" or not (media.relayed and media.is_open) or media.payload_types().events:
        return media
    maps = encodings_by_type(tuple(media.find_attributes("rtpmap")))
    rates = [codec.clock_rate for codec in list_codecs(media.formats, tuple(media.find_attributes("rtpmap")))]
    found: list[tuple[int, int]] = []  # payload types with their rates
    if is_first and rates:
        rate = _USUAL_RATE if _USUAL_RATE in rates else rates[0]
        found = [(number, rate) for number in (101, *range(96, 128))]
    elif theirs is not None and theirs.capturable:
        of_theirs = encodings_by_type(tuple(theirs.find_attributes("rtpmap")))
        found = [(number, int(of_theirs[str(number)][1])) for number in theirs.payload_types().events]
    for number, rate in found:
        if rate in rates and str(number) not in (*media.formats, *maps):
            lines = (f"a=rtpmap:{number} telephone-event/{rate}", f"a=fmtp:{number} 0-15")
            return replace(media, formats=(*media.formats, str(number)), lines=(*media.lines, *lines))
    return media


def without_events(
    described: sdp.SessionDescription, theirs: sdp.SessionDescription
) -> sdp.SessionDescription:
    """The agent's session as it is described to a customer's side that said nothing of
    telephone-event (`theirs`)."""
    media = list(described.media)
    for index, (each, other) in enumerate(zip(described.media, theirs.media, strict=False)):
        events = {str(number) for number in each.payload_types().events}
        formats = tuple(number for number in each.formats if number not in events)
        if each.kind == "audio" and formats and not other.payload_types().events:
            media[index] = with_formats(each, formats)
    return sdp.SessionDescription(described.lines, tuple(media))
