"""Captured RTP and RTCP of phones, read and written again to the same octets, by the reference and
by the core."""

from __future__ import annotations

import struct

import pytest

from media._core import Mask
from media.formats import rtp, telephone_event
from media.reference import red, rtcp_report
from media.reference.sequence import Tracks
from tests.fixtures.captured import Packet, packets

RED = 121
EVENTS = {"pjsua2": 120, "linphone": 101}
AUDIO = 0
KEYS = {"pjsua2": b"1", "linphone": b"7"}


def mask(sender: str = "pjsua2") -> Mask:
    """A mask that is off: what comes leaves."""
    return Mask(bytes([EVENTS.get(sender, 101)]), b"", mu=bytes([AUDIO]), red=bytes([RED]))


@pytest.mark.parametrize("packet", packets("rtp"), ids=str)
def test_rtp_is_written_as_it_was_read(packet: Packet) -> None:
    read = rtp.parse(packet.data)
    assert read is not None
    assert rtp.serialise(read) == packet.data
    leaves, _ = mask(packet.sender).rtp(packet.data, 0)
    assert leaves == packet.data


@pytest.mark.parametrize("packet", [each for each in packets("rtp") if "event-" in each.name], ids=str)
def test_an_event_is_written_as_it_was_read(packet: Packet) -> None:
    read = rtp.parse(packet.data)
    assert read is not None
    assert read.payload_type == EVENTS[packet.sender]
    assert read.marker is (packet.content == "event-start")
    event = telephone_event.parse(read.payload)
    assert event is not None
    assert telephone_event.serialise(event) == read.payload
    assert event.end is (packet.content == "event-end")
    assert telephone_event.KEYS[event.code : event.code + 1] == KEYS[packet.sender]


@pytest.mark.parametrize("sender", EVENTS)
def test_the_packets_of_one_event_are_one_key(sender: str) -> None:
    ours = {each.content: each for each in packets("rtp") if each.sender == sender}
    masked = mask(sender)
    masked.switch(True)
    begun = b""
    for number, stage in enumerate(("event-start", "event-update", "event-end")):
        leaves, keys = masked.rtp(ours[stage].data, 20 * number)
        assert leaves is None
        begun += keys
    assert bytes(telephone_event.KEYS[code] for code in begun) == KEYS[sender]


@pytest.mark.parametrize("packet", [each for each in packets("rtp") if "red" in each.name], ids=str)
def test_redundancy_is_written_as_it_was_read(packet: Packet) -> None:
    read = rtp.parse(packet.data)
    assert read is not None
    blocks = red.unwrap(read)
    assert [block.copy for block in blocks] == [True, True, False]
    assert written(read, blocks) == read.payload
    masked = mask()
    masked.switch(True)
    assert masked.rtp(packet.data, 0)[0] is None, "an event within redundancy is a key"


def written(packet: rtp.Rtp, blocks: tuple[red.Block, ...]) -> bytes:
    """The payload of RFC 2198 section 3 with these blocks."""
    *copies, primary = blocks
    heads = [
        struct.pack(
            "!I",
            1 << 31
            | block.payload_type << 24
            | (packet.rtp_timestamp - block.rtp_timestamp) % 2**32 << 10
            | len(block.payload),
        )
        for block in copies
    ]
    return b"".join([*heads, bytes([primary.payload_type]), *(block.payload for block in blocks)])


@pytest.mark.parametrize("packet", packets("rtcp"), ids=str)
def test_rtcp_of_an_unchanged_stream_crosses_as_it_came(packet: Packet) -> None:
    assert rtp.is_rtcp(packet.data)
    tracks, core = Tracks(), mask()
    assert rtcp_report.as_sent(packet.data, tracks) == packet.data
    assert rtcp_report.as_heard(packet.data, tracks) == packet.data
    assert core.rtcp(packet.data) == core.rtcp_back(packet.data) == packet.data


@pytest.mark.parametrize("packet", packets("rtcp"), ids=str)
def test_under_a_mask_the_leading_reports_of_rtcp_are_left(packet: Packet) -> None:
    core = mask()
    core.switch(True)
    reports = rtp.leading_reports(packet.data)
    assert core.rtcp(packet.data) == (reports or None)
    assert (reports == b"") is (packet.content == "app")
    assert packet.data.startswith(reports)
    reception = rtp.reception(packet.data)
    assert core.reception(packet.data) == (reception and (reception.lost, reception.jitter))
    assert (reception is not None) is (reports != b"" and packet.data[0] & 0x1F > 0)
