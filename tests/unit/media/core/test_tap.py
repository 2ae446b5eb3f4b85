"""The relay records headers while somebody asks for them: both legs, both ways, and no payload."""

from __future__ import annotations

import ipaddress
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from media._core import AGENT, CALLER
from media.tapped import RECORD_SIZE, RECORDS, TapFlag, TapKind, TapRecord, read_records
from tests.unit.media.core.relay_rig import (
    AUDIO,
    EVENTS,
    HOST,
    REPORT,
    STRANGER,
    Rig,
    bound,
    everything,
    key,
    received,
    rtp,
    until,
)
from tests.unit.media.core.sealed import Sealed

CARDS = "4111111111111111", "5555555555554444"
SPOKEN = b"\xd7spoken" * 22


@pytest.fixture
def call() -> Iterator[Rig]:
    made = Rig()
    made.relay.set_types(7, bytes([EVENTS]), b"", mu=bytes([AUDIO]))
    yield made.connect_both()
    made.close()


def taken(call: Rig, count: int, *, came: bool = False) -> list[TapRecord]:
    """The records, once there are so many. `came`: of packets that came, alone."""
    found: list[TapRecord] = []

    def enough() -> bool:
        octets, dropped = call.relay.read_tap(7)
        assert dropped == 0
        found.extend(each for each in read_records(octets) if not came or TapFlag.SENT not in each.flags)
        return len(found) >= count

    until(enough)
    return found


def test_a_packet_is_recorded_as_it_comes_and_as_it_leaves(call: Rig) -> None:
    call.caller.send(rtp(1))
    received(call.agent.rtp)
    assert call.relay.read_tap(7) == (b"", 0)  # nobody has asked
    before = time.time()
    call.relay.set_tap(7, True)
    call.caller.send(rtp(2, SPOKEN, marker=1))
    received(call.agent.rtp)
    call.agent.send(key(9, 5, 1440))
    received(call.caller.rtp)
    call.caller.send_rtcp(REPORT)
    received(call.agent.rtcp)
    octets, dropped = call.relay.read_tap(7)
    found = list(read_records(octets))
    assert dropped == 0
    assert [(each.socket, each.kind, TapFlag.SENT in each.flags) for each in found] == [
        (0, TapKind.RTP, False), (2, TapKind.RTP, True),
        (2, TapKind.RTP, False), (0, TapKind.RTP, True),
        (1, TapKind.RTCP, False), (3, TapKind.RTCP, True),
    ]  # fmt: skip
    first, left, event = found[0], found[1], found[2]
    assert (first.sequence_number, first.rtp_timestamp, first.ssrc) == (2, 320, 0x1234)
    assert (first.payload_type, first.length, first.flags) == (AUDIO, len(SPOKEN), TapFlag.MARKER)
    assert (first.host, first.port) == (ipaddress.ip_address(HOST), call.caller.rtp.getsockname()[1])
    assert left.port == call.agent.rtp.getsockname()[1]
    assert (event.payload_type, event.length) == (EVENTS, 0)
    assert found[4].payload_type == REPORT[1]
    assert all(before - 1 <= each.at_us / 1e6 <= time.time() + 1 for each in found)
    assert SPOKEN[:6] not in octets
    assert call.relay.read_tap(7) == (b"", 0)
    call.relay.set_tap(7, False)
    call.caller.send(rtp(3))
    received(call.agent.rtp)
    assert call.relay.read_tap(7) == (b"", 0)


def test_a_masked_packet_has_neither_type_nor_time_nor_length(call: Rig) -> None:
    call.relay.set_mask(7, True)
    call.relay.set_tap(7, True)
    for number in range(1, 9):
        call.caller.send(rtp(number, SPOKEN, marker=1))
    call.caller.send(key(9, 5, 1440))
    call.agent.send(rtp(50, SPOKEN))
    received(call.caller.rtp)
    call.caller.send_rtcp(REPORT)
    call.relay.set_mask(7, False)
    for each in taken(call, 20)[:20]:
        assert TapFlag.MASKED in each.flags
        assert TapFlag.MARKER not in each.flags
        assert each.at_us % 1_000_000 == 0
        assert (each.payload_type, each.rtp_timestamp, each.length) == (0, 0, 0)
    call.caller.send(rtp(20))
    [came, left] = taken(call, 2)
    assert TapFlag.MASKED not in came.flags | left.flags


def keyed(call: Rig, card: str, *, masked: bool) -> bytes:
    """What is recorded while a card is keyed as events, without its times."""
    call.relay.set_mask(7, masked)
    call.relay.set_tap(7, True)
    number = 100
    for digit in card:
        for duration in (160, 320, 480):
            call.caller.send(key(number, int(digit), 160 * number, duration, end=duration == 480))
            number += 1
        call.caller.send(rtp(number, SPOKEN))
        number += 1
    # What leaves depends on when it came.
    found = taken(call, 4 * len(card), came=True)
    call.relay.set_mask(7, False)
    return b"".join(
        struct.pack(
            "!HIIHBBB", each.sequence_number, each.rtp_timestamp, each.ssrc, each.length, each.kind,
            each.payload_type, each.flags,
        )
        for each in found
    )  # fmt: skip


@pytest.mark.parametrize("masked", [True, False])
def test_two_cards_leave_the_same_records(masked: bool) -> None:
    found = []
    for card in CARDS:
        made = Rig().connect_both()
        try:
            found.append(keyed(made, card, masked=masked))
        finally:
            made.close()
    assert found[0] == found[1]
    assert len(found[0]) == 4 * 16 * struct.calcsize("!HIIHBBB")


def test_of_a_stranger_the_address_is_recorded_alone(call: Rig) -> None:
    call.relay.set_tap(7, True)
    stranger = bound(STRANGER)
    stranger.sendto(rtp(1, SPOKEN), (HOST, call.caller.rtp_port))
    call.counted("caller_foreign_source", 1)
    [found] = taken(call, 1)
    stranger.close()
    assert found.kind is TapKind.FOREIGN
    assert found.host == ipaddress.ip_address(STRANGER)
    assert (found.sequence_number, found.ssrc, found.length) == (0, 0, 0)


def test_srtp_is_recorded_without_its_tag_and_what_does_not_prove_itself_not_at_all(call: Rig) -> None:
    peer = Sealed("AES_CM_128_HMAC_SHA1_80").set(call.relay, CALLER)
    call.relay.set_tap(7, True)
    call.caller.send(peer.tx.protect(rtp(1, SPOKEN)))
    received(call.agent.rtp)
    call.agent.send(rtp(8, SPOKEN))
    received(call.caller.rtp)
    call.caller.send(rtp(2, SPOKEN))  # in clear
    call.counted("caller_malformed", 1)
    came, left, back, sealed, unproved = taken(call, 5)
    assert came.flags == TapFlag.SEALED
    assert left.flags == TapFlag.SENT
    assert came.length == left.length == back.length == sealed.length == len(SPOKEN)
    assert sealed.flags == TapFlag.SENT | TapFlag.SEALED
    assert unproved.kind is TapKind.OTHER
    assert unproved.sequence_number == 0


def test_what_nobody_reads_is_dropped_and_counted(call: Rig) -> None:
    call.relay.set_tap(7, True)
    for number in range(RECORDS // 2 + 50):
        call.caller.send(rtp(number))
        if number % 64 == 0:
            until(lambda wanted=number: call.relay.counters(7)["caller_received"] > wanted)
    until(lambda: call.relay.counters(7)["agent_sent"] == RECORDS // 2 + 50)
    octets, dropped = call.relay.read_tap(7)
    assert len(octets) == RECORDS * RECORD_SIZE
    assert dropped == 100
    numbers = [each.sequence_number for each in read_records(octets) if each.is_agents]
    assert numbers == list(range(RECORDS // 2))
    assert call.relay.read_tap(7) == (b"", 0)
    everything(call.agent.rtp)
    call.caller.send(rtp(5000))
    received(call.agent.rtp)
    assert [each.sequence_number for each in taken(call, 2)] == [5000, 5000]


@pytest.mark.parametrize("leg", [CALLER, AGENT])
def test_rtcp_on_the_port_of_rtp_is_recorded_as_such(call: Rig, leg: int) -> None:
    phone = call.caller if leg == CALLER else call.agent
    address, port = phone.rtp.getsockname()
    call.relay.set_peer(7, leg, address, port, address, port, False)
    call.relay.set_tap(7, True)
    phone.send(REPORT)
    came, left = taken(call, 2)
    assert (came.kind, left.kind) == (TapKind.RTCP, TapKind.RTCP)
    assert came.socket == 2 * leg
    assert left.socket == 2 * (not leg) + 1


@pytest.mark.parametrize(
    "command", [lambda call: call.relay.read_tap(8), lambda call: call.relay.set_tap(8, True)]
)
def test_a_stream_that_is_not_open_has_no_tap(call: Rig, command: Callable[[Rig], object]) -> None:
    with pytest.raises(KeyError):
        command(call)


def test_a_stream_that_is_closed_takes_its_tap_along(call: Rig) -> None:
    call.relay.set_tap(7, True)
    call.relay.set_tap(7, True)
    call.caller.send(rtp(1))
    received(call.agent.rtp)
    call.relay.close_stream(7)
    with pytest.raises(KeyError):
        call.relay.read_tap(7)
