"""The relay on real sockets: what arrives where, and what does not."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import select
import socket
from collections.abc import Iterator

import pytest

from media._core import AGENT, CALLER, KEYED, OVERFLOW, PASSED, Relay, SecretMemory
from media.formats.rtp import parse
from tests.unit.media.core.relay_rig import (
    AUDIO,
    EVENTS,
    HOST,
    OTHER_NETWORK,
    REPORT,
    STRANGER,
    Rig,
    bound,
    everything,
    key,
    received,
    rtp,
    threads,
    until,
)


@pytest.fixture(params=[0, 2000], ids=["prompt", "gathered"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """What is masked is relayed like all else, or waits for other packets; nothing but time may
    differ."""
    made = Rig(masked_coalescing_us=request.param)
    yield made
    made.close()


@pytest.fixture
def call(rig: Rig) -> Rig:
    return rig.connect_both()


APP = bytes.fromhex("80cc0002123456783131313131313131")[:12]


def test_unmasked_packets_pass_both_ways_byte_for_byte(call):
    decorated = (
        bytes.fromhex("b2e4 0102 0000a0a0 00001234 01010101 02020202 bede0001 10aa0000") + b"voice\0\0\3"
    )
    for packet in (rtp(1), decorated, key(2, 5, 320), rtp(3, payload_type=34), rtp(4, b"")):
        call.caller.send(packet)
        assert received(call.agent.rtp) == packet
        call.agent.send(packet)
        assert received(call.caller.rtp) == packet
    for packet in (REPORT, REPORT + APP):
        call.caller.send_rtcp(packet)
        assert received(call.agent.rtcp) == packet
        call.agent.send_rtcp(packet)
        assert received(call.caller.rtcp) == packet
    assert call.relay.counters(7)["agent_reports"] == 0
    call.agent.send_rtcp(
        bytes.fromhex("81c90007 12345678 0e05384e 19000007 00001f30 00000028 00000000 00000000")
    )
    received(call.caller.rtcp)
    counters = call.relay.counters(7)
    assert [counters[f"agent_{what}"] for what in ("reports", "lost", "jitter")] == [1, 7, 40]
    assert [counters[f"caller_{what}"] for what in ("reports", "lost", "jitter")] == [0, 0, 0]
    assert [counters[f"{leg}_{what}"] for leg in ("caller", "agent") for what in ("received", "sent")] == [
        7,
        8,
        8,
        7,
    ]


def test_masked_the_agent_receives_voice_without_a_gap_and_no_event(call):
    call.relay.set_mask(7, True)
    order = [
        rtp(65530),
        key(65531, 4, 800),
        rtp(65532),
        key(65533, 4, 800, 320),
        key(65534, 4, 800, 480, end=True),
    ]
    order += [key(65534, 4, 800, 480, end=True)] * 2 + [
        rtp(65535),
        rtp(65536),
        key(65537, 1, 1600),
        rtp(65538),
    ]
    for packet in order:
        call.caller.send(packet)
    call.counted("agent_masked", 6)
    call.counted("agent_sent", 5)
    arrived = [parse(packet) for packet in everything(call.agent.rtp)]
    assert [each.payload_type for each in arrived] == [AUDIO] * 5
    assert [each.sequence_number for each in arrived] == [65530, 65531, 65532, 65533, 65534]
    assert [each.rtp_timestamp for each in arrived] == [s * 160 for s in (65530, 65532, 65535, 65536, 65538)]


def test_after_the_mask_the_numbers_stay_continuous_and_events_pass_again(call):
    call.relay.set_mask(7, True)
    for packet in (rtp(10), key(11, 4, 1760), rtp(12)):
        call.caller.send(packet)
    call.counted("agent_sent", 2)
    call.relay.set_mask(7, False)
    call.caller.send(rtp(13))
    call.caller.send(key(14, 9, 99_000))
    call.counted("agent_sent", 4)
    arrived = [parse(packet) for packet in everything(call.agent.rtp)]
    assert [each.sequence_number for each in arrived] == [10, 11, 12, 13]
    assert arrived[-1].payload_type == EVENTS


def test_the_rest_of_a_press_that_was_masked_does_not_pass_after_the_mask(call):
    call.relay.set_mask(7, True)
    call.caller.send(key(1, 4, 160))
    call.counted("agent_masked", 1)
    call.relay.set_mask(7, False)
    call.caller.send(key(2, 4, 160, 320))
    call.caller.send(key(3, 4, 160, 480, end=True))
    call.caller.send(rtp(4))
    call.counted("agent_sent", 1)
    call.counted("agent_masked", 3)


@pytest.mark.parametrize(
    ("payload_type", "payload"),
    [(EVENTS, b"\x05\x0a\x00\xa0"), (EVENTS, b"\x10\x0a\x00\xa0"), (EVENTS, b"\x05"),
    (AUDIO, b"\x05\x0a\x00\xa0"),
     (AUDIO, b"\x05\x4a\x00\xa0"), (AUDIO, b"\x05\x0a\x00\xa0\x04\x8a\x03\x20"),
     (AUDIO, b"\x05\x8a\x00\xa0" * 8),
     (97, b"\x05\x0a\x00\xa0"), (100, b"\xe5\x00\x00\x04\x00\x05\x0a\x00\xa0"), (72, b"voice"),
     (127, b"voice")],
)  # fmt: skip
def test_masked_nothing_passes_that_could_be_an_event(call, payload_type, payload):
    call.relay.set_mask(7, True)
    call.caller.send(rtp(1, payload, payload_type))
    call.caller.send(rtp(2))
    call.counted("agent_sent", 1)
    assert [parse(packet).payload_type for packet in everything(call.agent.rtp)] == [AUDIO]


def test_masked_packets_lose_csrcs_extension_and_padding(call):
    call.relay.set_mask(7, True)
    call.caller.send(
        bytes.fromhex("b2800102 0000a0a0 00001234 01010101 02020202 bede0001 10aa0000") + b"voice\0\0\3"
    )
    assert received(call.agent.rtp) == bytes.fromhex("80800102 0000a0a0 00001234") + b"voice"


NOTE = bytes.fromhex("81ca0006123456780710") + b"4111111111111111\0\0"
REASON = bytes.fromhex("81cb000312345678") + b"\x0541111\0\0"
SENDER_REPORT = bytes.fromhex("80c8000612345678") + bytes(20)


@pytest.mark.parametrize("report", [REPORT, SENDER_REPORT, SENDER_REPORT + REPORT])
@pytest.mark.parametrize("rest", [NOTE, REASON, APP, NOTE + REASON, b""])
def test_masked_rtcp_leaves_as_its_reports_alone(call, report, rest):
    call.relay.set_mask(7, True)
    call.caller.send_rtcp(report + rest)
    assert received(call.agent.rtcp) == report


def test_masked_rtcp_that_no_report_leads_is_withheld(call):
    call.relay.set_mask(7, True)
    for packet in (
        NOTE,
        REASON + REPORT,
        APP,
        REPORT + NOTE[:-4],
        bytes.fromhex("80c900021234567834313131"),
        REPORT,
    ):
        call.caller.send_rtcp(packet)
    assert received(call.agent.rtcp) == REPORT
    call.counted("agent_masked", 5)


def test_the_other_direction_is_never_masked(call):
    call.relay.set_mask(7, True)
    call.agent.send(key(1, 5, 160))
    assert received(call.caller.rtp) == key(1, 5, 160)


def test_an_event_sent_under_the_mask_never_passes_whatever_still_waits_when_it_is_switched(
    one_processor, call
):
    """What was sent after `set_mask(True)` returned and before `set_mask(False)` is not among what
    arrived."""
    for round_ in range(200):
        sequence = round_ * 20
        call.relay.set_mask(7, False)
        for step in range(5):
            call.caller.send(key(sequence + step, 1, sequence * 160, 160 * step))
        call.relay.set_mask(7, True)
        for step in range(5):
            call.caller.send(key(sequence + 5 + step, 2, sequence * 160 + 8000, 160 * step))
    until(lambda: call.relay.counters(7)["caller_received"] == 2000)
    assert not [packet for packet in everything(call.agent.rtp) if parse(packet).payload[0] == 2]


def test_nothing_passes_before_a_peer_is_known_or_after_it_is_gone(rig):
    rig.connect(AGENT, rig.agent)
    rig.caller.send(rtp(1))
    rig.counted("caller_foreign_source", 1)
    rig.connect(CALLER, rig.caller)
    rig.caller.send(rtp(2))
    assert received(rig.agent.rtp) == rtp(2)
    rig.relay.set_peer(7, CALLER, "", 0, "", 0, False)
    rig.caller.send(rtp(3))
    rig.counted("caller_foreign_source", 2)
    rig.agent.send(rtp(4))
    rig.counted("agent_received", 1)
    assert everything(rig.agent.rtp) == everything(rig.caller.rtp) == []


def test_a_stranger_is_neither_heard_nor_answered(call):
    same_host, other_host = bound(), bound(STRANGER)
    for stranger in (same_host, other_host):
        for port in (call.caller.rtp_port, call.agent.rtp_port):
            stranger.sendto(rtp(1), (HOST, port))
    call.counted("caller_foreign_source", 2)
    call.counted("agent_foreign_source", 2)
    call.agent.send(rtp(5))
    assert received(call.caller.rtp) == rtp(5)
    assert everything(call.agent.rtp) == everything(same_host) == everything(other_host) == []
    same_host.close()
    other_host.close()


def test_a_latch_takes_the_first_good_packet_of_the_network_and_keeps_it(rig):
    """The customer's SDP names an address; its NAT sends from another port and host of that
    network."""
    rig.connect(AGENT, rig.agent)
    rig.relay.set_peer(7, CALLER, "127.0.0.200", 4000, "127.0.0.200", 4001, True)
    far, near, later = bound(OTHER_NETWORK), rig.caller.rtp, bound()
    far.sendto(rtp(1), (HOST, rig.caller.rtp_port))
    near.sendto(b"\x80garbage", (HOST, rig.caller.rtp_port))
    rig.caller.send_rtcp(REPORT)  # no RTP yet: nobody to pair it with
    rig.counted("caller_foreign_source", 3)
    near.sendto(rtp(2), (HOST, rig.caller.rtp_port))
    assert received(rig.agent.rtp) == rtp(2)
    later.sendto(rtp(3), (HOST, rig.caller.rtp_port))
    rig.counted("caller_foreign_source", 4)
    rig.caller.send_rtcp(REPORT)
    assert received(rig.agent.rtcp) == REPORT
    rig.agent.send(rtp(9))
    assert received(near) == rtp(9)
    # A re-INVITE that moves nothing.
    rig.relay.set_peer(7, CALLER, "127.0.0.200", 4000, "127.0.0.200", 4001, True)
    rig.caller.send(rtp(10))
    assert received(rig.agent.rtp) == rtp(10)
    rig.relay.set_peer(7, CALLER, "127.0.0.200", 4002, "127.0.0.200", 4003, True)  # one that does
    later.sendto(rtp(11), (HOST, rig.caller.rtp_port))
    assert received(rig.agent.rtp) == rtp(11)
    far.close()
    later.close()


@pytest.mark.parametrize("datagram", [b"\0\1\6\xc0\1\x80\0\0\xff", b"\x80\1\6\xc0"])
def test_a_latch_takes_any_datagram_of_the_network_where_it_is_not_rtp_that_was_agreed_on(rig, datagram):
    rig.relay.set_types(7, b"", b"", clock=0)
    rig.connect(AGENT, rig.agent)
    rig.relay.set_peer(7, CALLER, "127.0.0.200", 4000, "127.0.0.200", 4001, True)
    far, later = bound(OTHER_NETWORK), bound()
    far.sendto(datagram, (HOST, rig.caller.rtp_port))
    rig.counted("caller_foreign_source", 1)
    rig.caller.send(datagram)
    assert received(rig.agent.rtp) == datagram
    later.sendto(datagram, (HOST, rig.caller.rtp_port))
    rig.counted("caller_foreign_source", 2)
    rig.agent.send(b"back")
    assert received(rig.caller.rtp) == b"back"
    far.close()
    later.close()


def test_a_latch_hears_rtcp_only_after_rtp_even_from_the_host_of_the_sdp(rig):
    rig.connect(AGENT, rig.agent)
    rig.connect(CALLER, rig.caller, latch=True)
    rig.caller.send_rtcp(REPORT)
    rig.counted("caller_foreign_source", 1)
    rig.caller.send(rtp(1))
    assert received(rig.agent.rtp) == rtp(1)
    rig.caller.send_rtcp(REPORT)
    assert received(rig.agent.rtcp) == REPORT


def test_a_latch_on_a_private_address_takes_any_network(rig):
    rig.connect(AGENT, rig.agent)
    rig.relay.set_peer(7, CALLER, "192.168.1.5", 4000, "192.168.1.5", 4001, True)
    rig.caller.send(rtp(2))
    assert received(rig.agent.rtp) == rtp(2)


@pytest.mark.parametrize("leg", [CALLER, AGENT])
def test_a_leg_with_one_port_for_both_and_one_with_two_hear_each_other(rig, leg):
    muxed, plain = (rig.caller, rig.agent) if leg == CALLER else (rig.agent, rig.caller)
    address, port = muxed.rtp.getsockname()
    rig.relay.set_peer(7, leg, address, port, address, port, False)
    rig.connect(AGENT if leg == CALLER else CALLER, plain)
    muxed.send(REPORT)
    assert received(plain.rtcp) == REPORT
    muxed.send(rtp(1))
    assert received(plain.rtp) == rtp(1)
    plain.send_rtcp(REPORT)
    assert received(muxed.rtp) == REPORT
    plain.send(rtp(2))
    assert received(muxed.rtp) == rtp(2)
    name = "caller" if leg == CALLER else "agent"
    muxed.send_rtcp(REPORT)  # the port that is no longer agreed on
    rig.counted(f"{name}_foreign_source", 1)
    rig.connect(leg, muxed)  # a re-INVITE without it
    plain.send_rtcp(REPORT)
    assert received(muxed.rtcp) == REPORT
    assert everything(muxed.rtp) == everything(plain.rtp) == everything(plain.rtcp) == []


def test_masked_rtcp_on_the_rtp_port_leaves_as_its_reports_alone(rig):
    for leg, phone in ((CALLER, rig.caller), (AGENT, rig.agent)):
        address, port = phone.rtp.getsockname()
        rig.relay.set_peer(7, leg, address, port, address, port, False)
    rig.relay.set_mask(7, True)
    rig.caller.send(REPORT + APP)
    assert received(rig.agent.rtp) == REPORT
    rig.caller.send(key(1, 5, 1))
    rig.caller.send(APP)
    rig.counted("agent_masked", 2)
    assert everything(rig.agent.rtp) == everything(rig.agent.rtcp) == []


def test_a_latch_is_not_locked_by_rtcp_on_the_rtp_port(rig):
    rig.connect(AGENT, rig.agent)
    rig.relay.set_peer(7, CALLER, "127.0.0.200", 4000, "127.0.0.200", 4000, True)
    other = bound()
    other.sendto(REPORT, (HOST, rig.caller.rtp_port))
    rig.counted("caller_foreign_source", 1)
    rig.caller.send(rtp(1))
    assert received(rig.agent.rtp) == rtp(1)
    rig.caller.send(REPORT)
    assert received(rig.agent.rtcp) == REPORT
    other.close()


def test_keys_are_announced_and_taken_into_secret_memory(call):
    call.relay.set_mask(7, True)
    call.relay.set_capture(7, True)
    memory = SecretMemory(64)
    for index, code in enumerate([4, 1, 11, 0, 10]):
        for step in range(4):
            packet = key(index * 10 + step, code, 8000 * index, 160 * step, end=step == 3)
            call.caller.send(packet)
            call.caller.send(packet)
    events, taken = [], 0
    while taken < 5:
        select.select([call.relay.fileno()], [], [], 10)
        events += call.relay.take_events()
        taken += call.relay.take_digits(7, memory, taken)
    assert set(events) == {(7, KEYED)}
    assert bytes(memoryview(memory)[:6]) == b"41#0*\0"
    assert call.relay.take_digits(7, memory, 0) == 0
    assert everything(call.agent.rtp) == []


def test_keys_that_reach_the_agent_are_announced_once_and_those_of_a_mask_are_not(call):
    for index in range(5):
        call.caller.send(key(index, 4, 8000, 160 * index))
        received(call.agent.rtp)
    select.select([call.relay.fileno()], [], [], 10)
    assert call.relay.take_events() == [(7, PASSED)]
    call.caller.send(rtp(9))
    received(call.agent.rtp)
    call.agent.send(key(1, 4, 8000, 160))
    received(call.caller.rtp)
    call.relay.set_mask(7, True)
    call.caller.send(key(10, 4, 16000, 160))
    call.counted("agent_masked", 1)
    assert call.relay.take_events() == []


def test_without_capture_no_key_is_kept_and_switching_wipes(call):
    memory = SecretMemory(8)
    call.caller.send(key(1, 5, 160))
    call.counted("agent_sent", 1)
    call.relay.set_capture(7, True)
    call.caller.send(key(2, 5, 160, 320))  # the same press goes on: it began before the capture
    call.caller.send(key(3, 6, 16_000))
    call.counted("agent_sent", 3)
    call.relay.set_capture(7, False)
    call.relay.set_capture(7, True)
    call.caller.send(key(4, 7, 32_000))
    until(lambda: call.relay.take_digits(7, memory, 0) == 1)
    assert bytes(memoryview(memory)[:2]) == b"7\0"


def test_more_keys_than_there_is_room_for_end_the_capture(call):
    call.relay.set_mask(7, True)
    call.relay.set_capture(7, True)
    for index in range(33):
        call.caller.send(key(index, 1, 8000 * index))
    events: list[tuple[int, int]] = []
    until(lambda: events.extend(call.relay.take_events()) or (7, OVERFLOW) in events)
    assert call.relay.take_digits(7, SecretMemory(64), 0) == 0


def test_a_full_vault_leaves_the_other_keys_waiting(call):
    call.relay.set_capture(7, True)
    for index in range(5):
        call.caller.send(key(index, index, 20_000 * index))
    assert _taken(call, 3) == b"012"
    assert _taken(call, 2) == b"34"
    assert call.relay.take_digits(7, SecretMemory(1), 0) == 0


def _taken(call: Rig, room: int) -> bytes:
    """What there is until `room` is full, each time that the relay says that there is more."""
    memory, taken = SecretMemory(room), 0
    while taken < room:
        select.select([call.relay.fileno()], [], [], 10)
        call.relay.take_events()
        taken += call.relay.take_digits(7, memory, taken)
    return bytes(memoryview(memory))


def test_garbage_is_counted_and_never_relayed(call):
    chance = random.Random(7)
    garbage = [b"", b"\x80", bytes(11), b"\x40" + bytes(40), bytes.fromhex("9fff") + bytes(60)]
    garbage += [b"\x8f" + bytes(20), b"\xa0" + bytes(11), b"\xb0" + b"\xff" * 30, b"\x80" + bytes(3000)]
    garbage += [bytes([chance.randrange(0x80)]) + chance.randbytes(chance.randrange(300)) for _ in range(300)]
    sent = 0
    for masked in (False, True):
        call.relay.set_mask(7, masked)
        for packet in garbage:
            sent += 1
            call.caller.send(packet)
            call.agent.send(packet)
            call.caller.send_rtcp(packet[:1] + b"\x01" + packet[2:])
            call.counted("agent_malformed", sent)
            call.counted("caller_malformed", 2 * sent)
    assert everything(call.agent.rtp) == everything(call.caller.rtp) == everything(call.agent.rtcp) == []
    call.caller.send(rtp(1))
    assert received(call.agent.rtp) == rtp(1)


def test_a_thousand_streams_opened_and_closed_leave_no_descriptor():
    relay = Relay()
    relay.start()
    before = len(os.listdir("/proc/self/fd"))
    for stream in range(1000):
        relay.open_stream(stream, *(bound().detach() for _ in range(4)))
        relay.set_capture(stream, True)
        assert set(relay.close_stream(stream).values()) == {0}
    assert len(os.listdir("/proc/self/fd")) == before
    relay.stop()


def test_stopping_closes_what_is_open():
    before = len(os.listdir("/proc/self/fd"))
    relay = Relay()
    relay.start()
    for stream in range(100):
        relay.open_stream(stream, *(bound().detach() for _ in range(4)))
    relay.stop()
    del relay
    assert len(os.listdir("/proc/self/fd")) == before


def test_commands_that_cannot_be_applied_say_so(rig):
    with pytest.raises(KeyError):
        rig.relay.set_mask(8, True)
    with pytest.raises(KeyError):
        rig.relay.close_stream(8)
    sockets = [bound() for _ in range(4)]
    with pytest.raises(ValueError, match="open already"):
        rig.relay.open_stream(7, *(own.fileno() for own in sockets))
    with pytest.raises(OSError, match="Bad file descriptor"):
        rig.relay.open_stream(9, *(own.fileno() for own in sockets[:3]), 99_999)
    rig.relay.open_stream(9, *(own.detach() for own in sockets))  # a refusal leaves them ours
    with pytest.raises(ValueError, match="numeric"):
        rig.relay.set_peer(7, CALLER, "localhost", 4000, "127.0.0.1", 4001, False)
    with pytest.raises(ValueError, match="numeric"):
        rig.relay.set_peer(7, CALLER, "127.0.0.1", 70_000, "127.0.0.1", 4001, False)
    with pytest.raises(ValueError, match="leg"):
        rig.relay.set_peer(7, 2, "127.0.0.1", 4000, "127.0.0.1", 4001, False)
    with pytest.raises(ValueError, match="payload type"):
        rig.relay.set_types(7, b"\xff", b"")
    with pytest.raises(RuntimeError):
        Relay().set_mask(7, True)
    rig.relay.stop()
    with pytest.raises(RuntimeError):
        rig.relay.counters(7)


def test_ipv6_is_relayed_too():
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        six = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) for _ in range(4)]
        for own in six:
            own.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on the loopback")
    relay = Relay()
    relay.start()
    ours, caller = six[:2], six[2:]
    agent_side, agent = [bound(), bound()], bound()
    port, agent_port = ours[0].getsockname()[1], agent_side[0].getsockname()[1]
    relay.open_stream(1, *(own.detach() for own in (*ours, *agent_side)))
    relay.set_peer(1, CALLER, "::1", caller[0].getsockname()[1], "::1", caller[1].getsockname()[1], False)
    relay.set_peer(1, AGENT, HOST, agent.getsockname()[1], HOST, 9, False)
    caller[0].sendto(rtp(1), ("::1", port))
    assert received(agent) == rtp(1)
    agent.sendto(rtp(2), (HOST, agent_port))
    assert received(caller[0]) == rtp(2)
    relay.stop()


def test_a_thread_keeps_to_the_processor_that_it_was_given(rig):
    processor = max(os.sched_getaffinity(0))
    before = threads()
    placed = Relay()
    placed.start(processor)
    [own] = threads() - before
    assert os.sched_getaffinity(own) == {processor}
    placed.stop()
    with pytest.raises(OSError, match="Invalid"):
        Relay().start(1023)


def test_packets_that_wait_for_each_other_all_arrive_and_commands_do_not_wait_for_them():
    with contextlib.closing(Rig(coalescing_us=5000, masked_coalescing_us=10000)) as rig:
        rig.connect_both()
        for burst in range(0, 200, 10):
            for number in range(burst, burst + 10):
                rig.caller.send(rtp(number))
                rig.agent.send(rtp(number))
            for number in range(burst, burst + 10):
                assert received(rig.agent.rtp) == received(rig.caller.rtp) == rtp(number)
            rig.relay.set_mask(7, burst % 20 == 0)
        rig.counted("caller_received", 200)
    with pytest.raises(OSError, match="Invalid"):
        Relay().start(-1, 5001)
    with pytest.raises(OSError, match="Invalid"):
        Relay().start(-1, 0, 10001)


def test_a_real_time_thread_relays_or_says_that_it_may_not(rig):
    before = threads()
    with contextlib.closing(Rig()) as other:
        [own] = threads() - before
        limits = resource.getrlimit(resource.RLIMIT_RTPRIO)
        try:
            other.relay.set_realtime()
        except PermissionError:
            assert limits[0] == 0
            assert os.sched_getscheduler(own) == os.SCHED_OTHER
        else:
            assert os.sched_getscheduler(own) == os.SCHED_FIFO
        other.connect_both().caller.send(rtp(1))
        assert received(other.agent.rtp) == rtp(1)
    with pytest.raises(RuntimeError, match="not running"):
        Relay().set_realtime()


def test_the_address_of_the_sdp_takes_the_place_of_whoever_was_faster(rig):
    rig.connect(AGENT, rig.agent)
    rig.connect(CALLER, rig.caller, latch=True)
    faster = bound()
    faster.sendto(rtp(1), (HOST, rig.caller.rtp_port))
    assert received(rig.agent.rtp) == rtp(1)
    rig.caller.send(b"\x80garbage")
    rig.counted("caller_foreign_source", 1)
    rig.caller.send(rtp(2))
    assert received(rig.agent.rtp) == rtp(2)
    faster.sendto(rtp(3), (HOST, rig.caller.rtp_port))
    rig.counted("caller_foreign_source", 2)
    rig.agent.send(rtp(9))
    assert received(rig.caller.rtp) == rtp(9)
    faster.close()


def test_what_arrived_is_counted_by_payload_type_and_the_newest_stranger_named(rig):
    rig.connect(AGENT, rig.agent)
    rig.connect(CALLER, rig.caller)
    stranger = bound(OTHER_NETWORK)
    stranger.sendto(rtp(1), (HOST, rig.caller.rtp_port))
    rig.counted("caller_foreign_source", 1)
    rig.caller.send(rtp(2))
    rig.caller.send(rtp(3))
    assert received(rig.agent.rtp) == rtp(2)
    assert received(rig.agent.rtp) == rtp(3)
    caller, agent = rig.relay.arrived(7)
    assert caller == (0, stranger.getsockname()[:2], {rtp(2)[1] & 0x7F: 2})
    assert agent == (0, None, {})
    stranger.close()


def test_no_event_of_the_agents_leaves_for_a_customer_who_has_agreed_on_none(call):
    rig = call
    rig.relay.set_types(7, bytes([EVENTS]), b"", mu=bytes([AUDIO]))
    rig.agent.send(key(1, 5, 160))
    assert received(rig.caller.rtp) == key(1, 5, 160)
    rig.relay.set_types(7, bytes([EVENTS]), b"", mu=bytes([AUDIO]), drops_agent_events=True)
    rig.agent.send(key(2, 5, 800))
    rig.agent.send(rtp(3))
    assert received(rig.caller.rtp) == rtp(3)
    rig.counted("caller_masked", 1)
    rig.caller.send(key(4, 5, 1600))
    assert received(rig.agent.rtp) == key(4, 5, 1600)


def test_a_forked_child_has_no_relay_but_may_drop_it():
    relay = Relay()
    relay.start()
    methods = relay.start, relay.set_realtime, relay.fileno, relay.take_events, relay.has_decoder
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for method in methods:
                with pytest.raises(RuntimeError, match="belongs to the parent"):
                    method()
            relay.stop()
            del relay, method, methods
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not relay.has_decoder()  # it still runs here
    relay.stop()
