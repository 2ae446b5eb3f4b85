"""The file of a recording: tshark reads messages and RTP in it, in the order of time, and no octet
of a payload is in it."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.ladder.pcapng import WholeBlocks
from b2bua.ladder.recording import Recording, with_end
from b2bua.ladder.view import GapView, LadderView, MessageView
from media._core import tapped
from media.events import TappedStream
from media.tapped import TapFlag, TapKind
from tests.capture_files import VIEW, fields, needs_tshark

VIEW_OF_A_CALL = msgspec.json.decode(VIEW.read_bytes(), type=LadderView)
FIRST = next(each for each in VIEW_OF_A_CALL.entries if isinstance(each, MessageView))
SECOND = 1_000_000
START = 1_764_583_200 * SECOND
_RECORD = struct.Struct("=qIIHHHBBBB16s6x")
_MAPPED = bytes(10) + b"\xff\xff"


def record(
    at_us: int, kind: TapKind = TapKind.RTP, payload_type: int = 0, flags: int = 0, *,
    number: int = 1, length: int = 160, socket: int = 0, host: str = "198.51.100.9",
) -> bytes:  # fmt: skip
    """As the core writes it."""
    address = ipaddress.ip_address(host)
    packed = address.packed if address.version == 6 else _MAPPED + address.packed
    return _RECORD.pack(
        at_us, 160 * number, 0xCAFE, number, length, 40_000, kind, payload_type, flags, socket, packed
    )


def stream(*records: bytes, dropped: int = 0) -> TappedStream:
    return TappedStream(caller_port=20_000, agent_port=20_002, records=b"".join(records), dropped=dropped)


def file_of(recording: Recording, path: Path) -> Path:
    path.write_bytes(recording.begin() + recording.end(START + 60 * SECOND, "the call has ended"))
    return path


@needs_tshark
def test_tshark_reads_rtp_with_its_length_and_messages_between(tmp_path: Path) -> None:
    recording = Recording()
    before, after = message_at(START + 1), message_at(START + 3 * SECOND)
    view = msgspec.structs.replace(VIEW_OF_A_CALL, entries=(before, after))
    recording.add(
        view,
        [
            stream(
                record(START + 2 * SECOND, number=7),
                record(START + 2 * SECOND + 5, number=7, socket=2, flags=TapFlag.SENT),
                record(START + 4 * SECOND, number=8, length=0, payload_type=101, flags=TapFlag.MARKER),
                record(START + 4 * SECOND + 1, TapKind.RTCP, 200, socket=1),
                record(START + 4 * SECOND + 2, TapKind.RTCP, 201, socket=3),
                record(START + 5 * SECOND, TapKind.FOREIGN, host="203.0.113.7"),
                record(START + 6 * SECOND, flags=TapFlag.MASKED | TapFlag.SEALED, number=9, length=0),
                record(START + 7 * SECOND, TapKind.OTHER, host="2001:db8:7::1"),
                dropped=3,
            )
        ],
    )
    path = file_of(recording, tmp_path / "call.pcapng")
    rows = fields(
        path, "_ws.col.Protocol", "rtp.seq", "rtp.p_type", "udp.length", "ip.src", "udp.dstport",
        "rtp.marker", "frame.comment", heuristics=True,
    )  # fmt: skip
    assert [row[0] for row in rows] == [
        "SIP/SDP", "RTP", "RTP", "SIP/SDP", "RTP", "RTCP", "RTCP", "UDP", "RTP", "UDP",
    ]  # fmt: skip
    came, left, event, foreign, masked = rows[1], rows[2], rows[4], rows[7], rows[8]
    assert came[1:6] == ["7", "0", str(8 + 12 + 160), "198.51.100.9", "20000"]
    assert left[4:6] == ["192.0.2.3", "40000"]  # the newest leg of the agent's side in that ladder
    assert event[2:4] == ["101", str(8 + 12)]
    assert event[6] in {"True", "1"}
    assert foreign[4] == "203.0.113.7"
    assert "not from the peer" in foreign[7]
    assert masked[1:4] == ["9", "127", str(8 + 12)]
    assert "SRTP" in masked[7]
    assert "were not recorded" in masked[7]
    written = path.read_bytes()
    assert b"3 packets before this one" in written
    assert b"the call has ended" in written
    malformed = fields(path, "frame.number", heuristics=True, only="_ws.malformed || ip.checksum.status == 0")
    assert malformed == []


def message_at(at_us: int, **changes: object) -> MessageView:
    seconds, micros = divmod(at_us, SECOND)
    at = f"2025-12-01T10:{seconds % 3600 // 60:02}:{seconds % 60:02}.{micros:06}+00:00"
    return msgspec.structs.replace(FIRST, at=at, **changes)


def test_a_message_is_written_once_and_in_its_order() -> None:
    recording = Recording()
    first = msgspec.structs.replace(VIEW_OF_A_CALL, entries=(message_at(START),))
    recording.add(first, [stream(record(START + SECOND))])
    assert recording.take(START - 1) == b""
    assert b"INVITE" in recording.take(START)
    recording.add(first, [])
    more = (*first.entries, message_at(START + 2 * SECOND, repeats=1), GapView(left_out=4))
    recording.add(msgspec.structs.replace(first, entries=more), [])
    rest = recording.take(START + 9 * SECOND)
    assert rest.count(b"Call-ID:") == 1
    assert b"2 times in all" in rest
    end = recording.end(START, "over")
    assert b"4 entries of the ladder were not kept" in end
    assert b"Call-ID:" not in end


def test_the_time_of_a_masked_info_is_its_second() -> None:
    at = START + 5 * SECOND + 345_000
    times = []
    for method, masked in (("INFO", True), ("INFO", False), ("MESSAGE", True)):
        recording = Recording()
        entry = message_at(at, method=method, masked=masked, code=None, sdp=())
        recording.add(msgspec.structs.replace(VIEW_OF_A_CALL, entries=(entry,)), [])
        octets = recording.take(2**62)
        high, low = struct.unpack_from("<II", octets, 12)
        times.append(high << 32 | low)
    assert times == [at - 345_000, at, at]


def test_two_cards_make_the_same_file() -> None:
    """From the packets on: keyed as events, as tones, in redundancy, under a mask and not."""
    files = []
    for card in ("4111111111111111", "5555555555554444"):
        recording = Recording()
        records = []
        for number, digit in enumerate(card):
            event = bytes([int(digit), 0x8A, 0, 160])
            header = struct.pack("!BBHII", 0x80, 101, number, 160, 7)
            tone = struct.pack("!BBHII", 0x80, 0, number, 160, 7) + bytes(digit, "ascii") * 160
            wrong = struct.pack("!BBHII", 0x80, 0, number, 160, 7) + event
            for packet in (header + event, tone, wrong):
                records += [
                    tapped(packet, bytes([101]), bytes([0]), True, masked, START) for masked in (True, False)
                ]
        recording.add(None, [stream(*records)])
        files.append(recording.begin() + recording.end(START, "over"))
    assert files[0] == files[1]
    assert len(files[0]) > 16 * 6 * 40


@given(st.permutations(range(12)))
def test_the_order_within_a_masked_second_is_not_that_of_arrival(order: list[int]) -> None:
    """Packets of the agent come every 20 ms: where a customer's event stood among them is when."""
    masked, sent = TapFlag.MASKED, TapFlag.MASKED | TapFlag.SENT
    rows = [(masked, 0, each) for each in range(4)] + [(sent, 2, each) for each in range(4)]
    rows += [(masked, 2, each) for each in range(3)]
    records = [record(START, flags=flags, number=number, length=0, socket=at) for flags, at, number in rows]
    records += [record(START, TapKind.OTHER, flags=masked)]
    files = []
    for arrived in (range(12), order):
        recording = Recording()
        recording.add(None, [stream(*(records[each] for each in arrived))])
        files.append(recording.take(START))
    assert files[0] == files[1] != b""


def test_a_file_that_was_cut_off_ends_where_a_block_does() -> None:
    recording = Recording()
    recording.add(None, [stream(record(START))])
    octets = recording.begin() + recording.end(START, "over")
    for cut in range(0, len(octets), 7):
        blocks = WholeBlocks()
        found = b"".join(blocks.feed(octets[at : at + 5]) for at in range(0, cut, 5))
        assert octets.startswith(found)
        assert WholeBlocks().feed(found + with_end(START, "lost")) == found + with_end(START, "lost")
    assert WholeBlocks().feed(octets) == octets
    with pytest.raises(ValueError, match="pcapng"):
        WholeBlocks().feed(b"HTTP/1.1 404 Not Found")
