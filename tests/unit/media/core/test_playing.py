"""Prompts on real sockets: what a leg's peer receives, and that its stream goes on."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from media._core import AGENT, CALLER, DONE, KEY, LEAKED, PLAYED, STOPPED, Recording
from media.formats.coding import Coding
from media.formats.rtp import Rtp, parse
from tests.unit.media.core.relay_rig import AUDIO, EVENTS, Phone, Rig, everything, key, received, rtp, until
from tests.unit.media.core.sealed import PROFILES, Sealed

PROMPT = bytes(range(160)) * 5  # 100 ms, each packet alike


@pytest.fixture
def call() -> Iterator[Rig]:
    rig = Rig().connect_both()
    rig.relay.set_types(7, bytes([EVENTS]), b"", mu=bytes([AUDIO]))
    yield rig
    rig.close()


def play(rig: Rig, octets: bytes = PROMPT, leg: int = CALLER, number: int = 1, **more: bool) -> None:
    rig.relay.play(7, leg, number, AUDIO, [Recording(octets, Coding.MU)], **more)


def ends(rig: Rig, leg: int = CALLER) -> tuple[int, int]:
    """How the play ended, once that is announced."""
    until(lambda: (7, PLAYED) in rig.relay.take_events())
    ended = rig.relay.played(7, leg)
    assert ended is not None
    return ended


def packets(phone: Phone, count: int) -> list[Rtp]:
    return [parse(received(phone.rtp)) for _ in range(count)]


def goes_on(stream: list[Rtp]) -> bool:
    """One SSRC, numbers without a gap, rtp_timestamps that never go back or overlap."""
    return all(
        later.ssrc == before.ssrc
        and (later.sequence_number - before.sequence_number) % 65536 == 1
        and len(before.payload) <= (later.rtp_timestamp - before.rtp_timestamp) % 2**32 < 2**31
        for before, later in pairwise(stream)
    )


def test_a_prompt_reaches_the_customer_where_nobody_else_sends(call):
    began = time.monotonic()
    play(call)
    stream = packets(call.caller, 5)
    assert 0.08 <= time.monotonic() - began < 2
    assert b"".join(each.payload for each in stream) == PROMPT
    assert goes_on(stream)
    assert [each.marker for each in stream] == [True, False, False, False, False]
    assert ends(call) == (1, DONE)
    assert everything(call.agent.rtp) == []


def test_a_second_prompt_goes_on_in_the_stream_of_the_first(call):
    play(call)
    stream = packets(call.caller, 5)
    assert ends(call) == (1, DONE)
    play(call, number=2)
    stream += packets(call.caller, 5)
    assert goes_on(stream)
    assert ends(call) == (2, DONE)


def test_a_prompt_takes_the_place_of_what_the_agent_says_in_one_stream(call):
    octets = bytes([0x42]) * 160
    for number in (65533, 65534):
        call.agent.send(rtp(number, octets))
    stream = packets(call.caller, 2)
    play(call)
    call.agent.send(rtp(65535, octets))
    stream += packets(call.caller, 5)
    assert b"".join(each.payload for each in stream[2:]) == PROMPT
    assert ends(call) == (1, DONE)
    for number in range(65545, 65548):
        call.agent.send(rtp(number, octets))
    stream += packets(call.caller, 3)
    # The agent's own gap (65536 to 65544 never came) is the customer's, too.
    assert goes_on(stream[:7])
    assert goes_on(stream[7:])
    assert {each.ssrc for each in stream} == {0x1234}
    own = (stream[7].sequence_number - stream[6].sequence_number) % 65536
    assert own == 10


def test_another_prompt_replaces_the_first(call):
    play(call, PROMPT * 100)
    packets(call.caller, 2)
    play(call, bytes([7]) * 320, number=2)
    until(lambda: parse(received(call.caller.rtp)).payload == bytes([7]) * 160)
    assert ends(call) == (2, DONE)


def test_a_prompt_is_stopped(call):
    assert call.relay.stop_play(7, CALLER) is False
    assert call.relay.played(7, CALLER) is None
    play(call, PROMPT * 100)
    packets(call.caller, 1)
    assert call.relay.played(7, CALLER) is None
    assert call.relay.stop_play(7, CALLER) is True
    assert ends(call) == (1, STOPPED)
    sent = call.relay.counters(7)["caller_sent"]
    play(call, number=2)
    assert ends(call) == (2, DONE)
    assert call.relay.counters(7)["caller_sent"] == sent + 5


@pytest.mark.parametrize("masked", [False, True])
def test_any_key_of_the_customers_ends_a_prompt_that_may_be_ended(call, masked):
    if masked:
        call.relay.set_mask(7, True)
    play(call, PROMPT * 100, barge_in=True)
    call.caller.send(rtp(1, bytes(160)))
    packets(call.caller, 2)
    assert call.relay.played(7, CALLER) is None
    call.caller.send(key(2, 4, 320))
    assert ends(call) == (1, KEY)


def test_a_key_does_not_end_another_prompt(call):
    play(call)
    call.caller.send(key(2, 4, 320))
    assert ends(call) == (1, DONE)


def test_a_key_that_did_not_come_as_rtp_ends_it_too(call):
    play(call, PROMPT * 100, barge_in=True)
    call.relay.barge_in(7)
    assert ends(call) == (1, KEY)


def test_ducked_the_agent_is_heard_below_the_prompt(call):
    quiet = bytes([0xFF]) * 1600
    play(call, quiet, ducks=True)
    for number in range(12):
        call.agent.send(rtp(number, bytes([0x90]) * 160))  # a level of 15,996
    heard = b"".join(each.payload for each in packets(call.caller, 10))
    assert ends(call) == (1, DONE)
    assert len(heard) == 1600
    assert set(heard) == {0xFF, 0xAF}  # silence until enough has come, and behind it; 4,092


def test_a_stream_closes_while_it_plays(call):
    play(call, PROMPT * 100)
    play(call, PROMPT * 100, leg=AGENT)
    packets(call.caller, 1)
    call.relay.close_stream(7)


def test_a_fax_after_a_prompt_passes_octet_for_octet(call):
    play(call)
    packets(call.caller, 5)
    assert ends(call) == (1, DONE)
    call.relay.set_types(7, b"", b"", clock=0)
    for number in (9, 3, 3, 1):
        packet = rtp(number, b"udptl" * 9)
        call.agent.send(packet)
        assert received(call.caller.rtp) == packet


def test_sender_reports_count_what_left(call):
    octets = bytes([0x42]) * 160
    call.agent.send(rtp(1, octets))
    packets(call.caller, 1)
    play(call)
    packets(call.caller, 5)
    assert ends(call) == (1, DONE)
    report = bytes.fromhex("80c80006 00001234 0000000000000000 00000000 00000001 000000a0")
    call.agent.send_rtcp(report)
    corrected = received(call.caller.rtcp)
    assert int.from_bytes(corrected[20:24], "big") == 6
    assert int.from_bytes(corrected[24:28], "big") == 6 * 160


def test_a_recording_is_audio_of_a_known_coding(call):
    for octets, coding in ((b"", 0), (b"x", 3), (b"x", -1)):
        with pytest.raises(ValueError, match="coding"):
            Recording(octets, coding)
    with pytest.raises(ValueError, match="differ"):
        call.relay.play(7, CALLER, 1, 0, [Recording(b"x", 0), Recording(b"x", 1)])
    for many in (0, 65):
        with pytest.raises(ValueError, match="1 to 64"):
            call.relay.play(7, CALLER, 1, 0, [Recording(b"x", 0)] * many)
    with pytest.raises(KeyError):
        call.relay.play(8, CALLER, 1, 0, [Recording(b"x", 0)])


@pytest.mark.parametrize("suite", PROFILES)
def test_a_prompt_over_srtp_is_sealed_in_the_stream_of_the_agent_s_audio(call, suite):
    peer = Sealed(suite).set(call.relay, CALLER)
    for number in (1, 2):
        call.agent.send(rtp(number, bytes([0x42]) * 160))
    opened = [parse(peer.rx.unprotect(received(call.caller.rtp))) for _ in range(2)]
    play(call)
    opened += [parse(peer.rx.unprotect(received(call.caller.rtp))) for _ in range(5)]
    assert ends(call) == (1, DONE)
    assert goes_on(opened)
    assert b"".join(each.payload for each in opened[2:]) == PROMPT
    call.agent.send(rtp(60, bytes([0x42]) * 160))
    assert parse(peer.rx.unprotect(received(call.caller.rtp))).payload == bytes([0x42]) * 160


def test_a_prompt_plays_while_the_agent_s_side_is_on_hold_or_silent(call):
    call.relay.set_peer(7, AGENT, "0.0.0.0", 0, "0.0.0.0", 0, False)
    play(call)
    assert b"".join(each.payload for each in packets(call.caller, 5)) == PROMPT
    assert ends(call) == (1, DONE)


def test_a_customer_on_hold_is_sent_nothing_and_the_prompt_ends_all_the_same(call):
    call.relay.set_peer(7, CALLER, "0.0.0.0", 0, "0.0.0.0", 0, False)
    play(call)
    assert ends(call) == (1, DONE)
    assert everything(call.caller.rtp) == []
    assert call.relay.counters(7)["caller_sent"] == 0


def test_what_plays_goes_on_where_the_customer_s_address_changes(call):
    other = Phone(call.caller.rtp_port, call.caller.rtcp_port)
    play(call, PROMPT * 4)
    stream = packets(call.caller, 3)
    call.connect(CALLER, other)
    assert ends(call) == (1, DONE)
    stream += [parse(each) for each in everything(call.caller.rtp)]
    stream += [parse(each) for each in everything(other.rtp)]
    assert b"".join(each.payload for each in stream) == PROMPT * 4
    assert goes_on(stream)
    other.close()


def test_keys_under_a_prompt_are_masked_as_ever_and_trip_no_canary(call):
    """The same octets leave for the agent with a prompt in the customer's ear as without."""
    left = []
    for number, plays in enumerate((False, True)):
        call.relay.set_mask(7, True)
        if plays:
            play(call, PROMPT * 100, ducks=True)
            packets(call.caller, 2)
        for at in range(40):
            base = 1000 * number + at
            voice = rtp(base, bytes([at]) * 160, rtp_timestamp=160 * at)
            call.caller.send(key(base, at % 10, 160 * at, 160) if at % 4 == 3 else voice)
        until(lambda: call.relay.counters(7)["agent_masked"] >= 10 * (len(left) + 1))
        call.relay.set_mask(7, False)
        left.append([parse(each).payload for each in everything(call.agent.rtp)])
        call.relay.stop_play(7, CALLER)
        assert (7, LEAKED) not in call.relay.take_events()
    assert len(left[0]) >= 25
    assert left[0] == left[1]


def test_keys_that_the_agent_sends_reach_the_customer_under_a_prompt(call):
    play(call, PROMPT * 4)
    packets(call.caller, 1)
    call.agent.send(key(5, 9, 800))
    stream = packets(call.caller, 20)
    assert [each.payload_type for each in stream].count(EVENTS) == 1
    assert ends(call) == (1, DONE)


def test_the_peer_s_report_of_our_packets_becomes_one_of_the_agent_s(call):
    call.agent.send(rtp(100, bytes(160)))
    packets(call.caller, 1)
    play(call)
    newest = packets(call.caller, 5)[-1].sequence_number
    assert newest == 105
    block = struct.pack("!IIIIII", 0x1234, 0, newest, 7, 0, 0)
    call.caller.send_rtcp(struct.pack("!BBHI", 0x81, 201, 7, 0x77) + block)
    assert struct.unpack("!I", received(call.agent.rtcp)[16:20]) == (100,)
