"""The demo's own view of the wire: what it counts, what it passes over, and that it cannot tell one
key from another."""

from __future__ import annotations

import socket
import struct

import pytest

from b2bua.demo.wire import Flow, WireTap, WireView

HERE, THERE = ("127.0.0.2", 4000), ("127.0.0.3", 4002)
SPEECH = bytes(160)


def rtp(
    sequence_number: int, payload: bytes, payload_type: int = 0, ssrc: int = 1, first: int = 0x80
) -> bytes:
    return struct.pack("!BBHII", first, payload_type, sequence_number & 0xFFFF, 0, ssrc) + payload


def event(sequence_number: int, key: int, payload_type: int = 101) -> bytes:
    return rtp(sequence_number, struct.pack("!BBH", key, 10, 160), payload_type)


def frame(packet: bytes, options: bytes = b"", protocol: int = 17, fragment: int = 0) -> bytes:
    words = 5 + len(options) // 4
    length = words * 4 + 8 + len(packet)
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | words, 0, length, 1, fragment, 64, protocol, 0,
        socket.inet_aton(HERE[0]), socket.inet_aton(THERE[0]),
    )  # fmt: skip
    udp = struct.pack("!HHHH", HERE[1], THERE[1], 8 + len(packet), 0)
    return bytes(12) + b"\x08\x00" + ip + options + udp + packet


def view(*frames: bytes) -> list[Flow]:
    seen = WireView()
    for one in frames:
        seen.add_frame(one)
    return seen.flows()


def test_speech_and_key_events_are_counted_a_flow() -> None:
    frames = [frame(rtp(1, SPEECH)), frame(event(2, 5)), frame(event(3, 5)), frame(rtp(4, SPEECH))]
    assert view(*frames) == [Flow(HERE, THERE, packets=4, events=2)]


@pytest.mark.parametrize("payload_type", [0, 8, 96, 101, 120, 127])
def test_an_event_is_counted_under_whatever_payload_type_it_hides(payload_type: int) -> None:
    assert view(frame(event(1, 1, payload_type)))[0].events == 1


def test_comfort_noise_is_no_event() -> None:
    assert view(frame(rtp(1, bytes(4), 13)))[0].events == 0


def test_an_event_behind_a_header_extension_csrcs_or_padding_is_counted() -> None:
    key = struct.pack("!BBH", 1, 10, 160)
    extended = rtp(1, struct.pack("!HHI", 0xBEDE, 1, 0) + key, 101, first=0x90)
    with_source = rtp(2, struct.pack("!I", 7) + key, 101, first=0x81)
    padded = rtp(3, key + b"\0\0\0\x04", 101, first=0xA0)
    assert view(frame(extended), frame(with_source), frame(padded))[0].events == 3


def test_two_different_numbers_give_the_same_view() -> None:
    assert view(*(frame(event(n, n % 10)) for n in range(16))) == view(
        *(frame(event(n, 9)) for n in range(16))
    )


@pytest.mark.parametrize("start", [0, 1, 65_530, 65_534, 65_535])
def test_missing_packets_are_counted_at_every_wrap_of_the_sequence_number(start: int) -> None:
    numbers = [start + offset for offset in range(10) if offset not in (3, 7)]
    assert view(*(frame(rtp(number, SPEECH)) for number in numbers))[0].missing == 2


def test_reordered_packets_are_not_missing() -> None:
    assert view(*(frame(rtp(number, SPEECH)) for number in (10, 12, 11, 13)))[0].missing == 0


@pytest.mark.parametrize(
    "other",
    [
        b"",
        bytes(13),
        bytes(60),
        frame(b"INVITE sip:x SIP/2.0\r\n"),
        frame(struct.pack("!BBHI", 0x80, 200, 6, 1) + bytes(20)),  # RTCP
        frame(rtp(1, SPEECH)[:11]),
        frame(rtp(1, SPEECH), protocol=6),
        frame(rtp(1, SPEECH), fragment=100),
        frame(rtp(1, b"", first=0x90)),
        frame(rtp(1, b"\xff", first=0xA0)),
    ],
)
def test_what_is_no_rtp_is_passed_over(other: bytes) -> None:
    assert view(other) == []


def test_a_truncated_frame_never_raises() -> None:
    whole = frame(rtp(1, SPEECH), options=bytes(8))
    assert view(whole)[0].packets == 1
    for length in range(len(whole)):
        view(whole[:length])


def watching(*telephones: Telephone) -> WireTap:
    tap = WireTap(*telephones)
    try:
        tap.start()
    except PermissionError:
        pytest.skip("watching the wire needs CAP_NET_RAW")
    if tap.source.startswith("Counted by"):
        pytest.skip("watching the wire needs CAP_NET_RAW")
    return tap


def exchange(source: str, destination: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """Twenty packets, half of them events, on the loopback interface."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to,
    ):
        to.bind((destination, 0))
        sender.bind((source, 0))
        for number in range(20):
            sender.sendto(event(number, 1) if number % 2 else rtp(number, SPEECH), to.getsockname())
        return sender.getsockname(), to.getsockname()


def test_the_tap_has_counted_once_every_packet_that_was_sent_before_it_is_asked() -> None:
    tap = watching()
    ends = exchange("127.0.0.1", "127.0.0.1")
    assert _of(tap, *ends) == Flow(*ends, packets=20, events=10)
    tap.stop()
    assert _of(tap, *ends) == Flow(*ends, packets=20, events=10)
    assert "AF_PACKET" in tap.source


def test_with_telephones_the_tap_sees_what_is_from_them_and_to_them_only() -> None:
    tap = watching(Telephone())
    other, out, back = (
        exchange("127.0.0.1", "127.0.0.4"),
        exchange("127.0.0.3", "127.0.0.4"),
        exchange("127.0.0.4", "127.0.0.3"),
    )
    assert _of(tap, *other) is None
    assert _of(tap, *out) == Flow(*out, packets=20, events=10)
    assert _of(tap, *back) == Flow(*back, packets=20, events=10)
    tap.stop()


def _of(tap: WireTap, source: tuple[str, int], destination: tuple[str, int]) -> Flow | None:
    return next((flow for flow in tap.flows() if (flow.src, flow.dst) == (source, destination)), None)


class Telephone:
    address = "127.0.0.3"
    traffic = {"sent": 50, "received": 49, "lost": 1, "pressed": 0, "dtmf": 2}  # noqa: RUF012


def test_without_permission_the_telephones_are_asked_and_the_source_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_arguments: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr("b2bua.demo.wire.socket.socket", refuse)
    tap = WireTap(Telephone())
    tap.start()
    assert tap.flows() == [
        Flow(("127.0.0.3", 0), ("127.0.0.1", 0), packets=50, events=0),
        Flow(("127.0.0.1", 0), ("127.0.0.3", 0), packets=49, events=2, missing=1),
    ]
    assert "telephones" in tap.source
    tap.stop()
    with pytest.raises(PermissionError):
        WireTap().start()
