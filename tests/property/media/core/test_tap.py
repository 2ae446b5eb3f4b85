"""The record of a packet's header has nothing of its payload, whatever the packet is."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from media._core import tapped
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.formats.telephone_event import TelephoneEvent
from media.formats.telephone_event import serialise as serialise_event
from media.tapped import RECORD_SIZE, TapFlag, TapKind, TapRecord, read_records

EVENTS, MU, VIDEO, RED = 101, 0, 96, 97
AT_US = 1_764_000_000_654_321
MARKS = b"\xc4" * 4  # stands for what a payload holds

ports = st.booleans()
masks = st.booleans()
headers = st.builds(
    lambda first, second, rest: bytes([0x80 | first, second]) + rest,
    st.integers(0, 0x3F),
    st.integers(0, 255),
    st.binary(min_size=10, max_size=10),
)
tails = st.binary(max_size=200)
compounds = st.builds(
    lambda kind, rest: struct.pack("!BBH", 0x81, kind, len(rest) // 4) + rest, st.integers(192, 223), tails
)
stun = st.builds(lambda rest: b"\x00\x01\x00\x08\x21\x12\xa4\x42" + rest, tails)
packets = st.one_of(
    st.binary(max_size=300), st.builds(bytes.__add__, headers, tails), compounds, stun,
)  # fmt: skip


def record(packet: bytes, *, is_rtp: bool = True, masked: bool = False) -> TapRecord:
    octets = tapped(packet, bytes([EVENTS]), bytes([MU]), is_rtp, masked, AT_US)
    assert len(octets) == RECORD_SIZE
    [found] = read_records(octets)
    return found


def payload_start(packet: bytes) -> int:
    """Where the payload of a packet of RTP begins (RFC 3550 section 5.1)."""
    start = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    return start


@given(packets, ports, masks)
def test_other_octets_behind_the_header_make_the_same_record(
    packet: bytes, is_rtp: bool, masked: bool
) -> None:
    before = record(packet, is_rtp=is_rtp, masked=masked)
    rtp = parse(packet) if is_rtp else None
    # RFC 3550: the length of a payload follows from its header, its extension and its padding.
    start = payload_start(packet) if rtp is not None else 4
    end = start + len(rtp.payload) if rtp is not None else len(packet)
    changed = packet[:start] + bytes(octet ^ 0xFF for octet in packet[start:end]) + packet[end:]
    assert record(changed, is_rtp=is_rtp, masked=masked) == before


@given(packets, ports)
def test_under_a_mask_two_packets_differ_by_number_and_source_alone(packet: bytes, is_rtp: bool) -> None:
    found = record(packet, is_rtp=is_rtp, masked=True)
    assert found.flags == TapFlag.MASKED
    assert found.at_us == AT_US - AT_US % 1_000_000
    assert (found.payload_type, found.rtp_timestamp, found.length) == (0, 0, 0)
    if found.kind is not TapKind.RTP:
        assert (found.sequence_number, found.ssrc) == (0, 0)


@given(
    st.integers(0, 15), st.integers(0, 15), st.booleans(), st.integers(0, 0xFFFF), masks, st.integers(1, 3)
)
def test_two_keys_make_the_same_record(
    one: int, other: int, end: bool, duration: int, masked: bool, count: int
) -> None:
    def keyed(code: int) -> bytes:
        payload = serialise_event(TelephoneEvent(code=code, end=end, duration=duration)) * count
        return serialise(
            Rtp(
                payload_type=EVENTS, marker=True, sequence_number=7, rtp_timestamp=160, ssrc=Ssrc(9),
                payload=payload,
            )
        )  # fmt: skip

    found = record(keyed(one), masked=masked)
    assert found == record(keyed(other), masked=masked)
    assert found.length == 0
    # Under a mask it is a packet among others.
    audio = serialise(
        Rtp(
            payload_type=MU, marker=False, sequence_number=7, rtp_timestamp=320, ssrc=Ssrc(9),
            payload=bytes(160),
        )
    )  # fmt: skip
    assert (found == record(audio, masked=masked)) is masked


@given(st.integers(0, 127), st.binary(max_size=300))
def test_only_codecs_of_one_length_have_a_length(payload_type: int, payload: bytes) -> None:
    packet = serialise(
        Rtp(
            payload_type=payload_type, marker=False, sequence_number=1, rtp_timestamp=1, ssrc=Ssrc(1),
            payload=payload,
        )
    )  # fmt: skip
    found = record(packet)
    if 64 <= payload_type <= 95:  # RFC 5761 section 4
        assert found.kind is TapKind.OTHER
        return
    assert found.kind is TapKind.RTP
    assert found.payload_type == payload_type
    assert found.length == (len(payload) if payload_type == MU else 0)


def test_what_is_no_rtp_is_not_read_as_rtp() -> None:
    fax = bytes.fromhex("80000000") + MARKS * 8
    octets = tapped(fax, b"", b"", True, False, AT_US)
    [found] = read_records(octets)
    assert found.kind is TapKind.OTHER
    assert MARKS not in octets
    assert found.at_us == AT_US
    assert record(fax).kind is TapKind.RTP  # where RTP was agreed
