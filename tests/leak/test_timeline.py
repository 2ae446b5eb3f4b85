"""The timeline: what is heard does not depend on how packets arrive; and what carriers send is
heard as they sent it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.leak.carriers import CAPTURES, EVENT, HABITS, Habit, captures, keyed, replay
from tests.leak.codec import G722, PCMA, PCMU, decoded, encoded
from tests.leak.decoders import RATE, together, union
from tests.leak.presses import dual_tone
from tests.leak.timeline import Packet, heard, parse

DIGITS = "2013785496*#"
WRAPS = (0, (1 << 32) - 160, (1 << 32) - 161, (1 << 32) - 1600, 1 << 31)


def stream(audio: list[bytes], start: int = 0, *, payload_type: int = PCMA, ssrc: int = 1) -> list[Packet]:
    return [
        Packet(payload_type, (65530 + number) & 0xFFFF, (start + 160 * number) % (1 << 32), ssrc, payload)
        for number, payload in enumerate(audio)
    ]


AUDIO = encoded(np.concatenate([dual_tone("4", 1600, (-10, -10)), dual_tone("9", 1600, (-20, -20))]), PCMA)


@pytest.mark.parametrize("start", WRAPS)
def test_packets_that_arrive_twice_or_out_of_order_change_nothing_at_any_wrap(start: int) -> None:
    packets = stream(AUDIO, start)
    shuffled = packets[:1] + packets * 2
    random.Random(start).shuffle(shuffled)
    assert (heard(shuffled) == decoded(AUDIO, PCMA)).all()


@pytest.mark.parametrize("start", WRAPS)
def test_what_is_missing_is_silence_of_its_length(start: int) -> None:
    packets = stream(AUDIO, start)
    pcm = heard(packets[:5] + packets[8:])
    whole = decoded(AUDIO, PCMA)
    assert len(pcm) == len(whole)
    assert not pcm[800:1280].any()
    assert (pcm[:800] == whole[:800]).all()
    assert (pcm[1280:] == whole[1280:]).all()


def test_a_wild_timestamp_makes_no_hours_of_silence() -> None:
    packets = stream(AUDIO)
    far = [replace(packet, rtp_timestamp=packet.rtp_timestamp + (1 << 30)) for packet in packets]
    assert len(heard(packets + far)) == 2 * len(decoded(AUDIO, PCMA)) + 10 * RATE


def test_audio_that_lies_on_other_audio_is_heard_after_it() -> None:
    other = encoded(dual_tone("1", 3200, (-10, -10)), PCMA)
    for second in (stream(other, ssrc=2), stream(other)):
        keys = together(union(heard([*stream(AUDIO), *second])))
        assert "".join(one.digit for one in keys) == "491"


def test_wideband_is_heard_at_the_same_rate() -> None:
    audio = encoded(dual_tone("5", RATE, (-10, -10)), G722)
    pcm = heard(stream(audio, payload_type=G722))
    assert len(pcm) == RATE
    assert [one.digit for one in together(union(pcm))] == ["5"]


def test_a_payload_type_is_what_the_session_says_and_events_are_silence() -> None:
    audio = encoded(dual_tone("5", 1600, (-10, -10)), PCMU)
    assert (heard(stream(audio, payload_type=97), {97: PCMU}) == decoded(audio, PCMU)).all()
    assert len(heard(stream([b"\x05\x0a\x00\xa0"] * 3, payload_type=EVENT))) == 0


def test_parsing_then_serialising_gives_the_same_packet() -> None:
    packet = Packet(8, 65535, 4294967295, 7, b"\xd5" * 160, marker=True)
    assert parse(bytes(packet)) == packet
    extended = (
        bytes([bytes(packet)[0] | 0x31])
        + bytes(packet)[1:12]
        + b"CSRC\xbe\xde\x00\x01EXT!"
        + b"ab"
        + b"\0\0\3"
    )
    assert parse(extended) == replace(packet, payload=b"ab")
    assert all(parse(extended[:length]) is None for length in range(24))
    assert parse(b"\x80\xc8" + bytes(26)) is None


# --- carriers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_a_carriers_audio_holds_the_number_unless_it_sends_events_alone(habit: Habit) -> None:
    packets = keyed(DIGITS, habit, seed=3)
    keys = union(heard(packets))
    if habit.name == "events alone":
        assert together(keys) == []
    else:
        twice = bool(habit.before and habit.tail[1])
        number = "".join(digit * (2 if twice else 1) for digit in DIGITS)
        assert any("".join(one.digit for one in all_) == number for all_ in keys.values())
    assert sum(packet.payload_type == EVENT and packet.marker for packet in packets) == (
        len(DIGITS) if habit.event else 0
    )


def test_an_event_ends_three_times_and_the_clock_goes_on_after_it() -> None:
    packets = keyed("5", HABITS[0], seed=1)
    events = [packet for packet in packets if packet.payload_type == EVENT]
    assert len({packet.rtp_timestamp for packet in events}) == 1
    assert [packet.payload[1] >> 7 for packet in events] == [0] * 9 + [1] * 3
    after = packets[packets.index(events[-1]) + 1]
    assert (after.rtp_timestamp - events[0].rtp_timestamp) % (1 << 32) == 200 * 8


def test_captures_of_real_carriers_hold_the_number_that_their_name_says() -> None:
    """Not skipped where there are none, for they are not in the repository and nobody can be
    required to have them."""
    if not captures():
        pytest.xfail(
            f"no captures of real carriers: {CAPTURES} names no folder with any, and ../shared/captures is "
            "not there"
        )
    for capture in captures():
        _codec, _, number = Path(capture).stem.partition("-")
        packets = [packet for _, packet in replay(capture)]
        marked = [packet.payload for packet in packets if packet.payload_type == EVENT and packet.marker]
        assert "".join("0123456789*#ABCD"[payload[0]] for payload in marked) == number, CAPTURES
        if any(packet.payload_type in {PCMA, PCMU} for packet in packets):
            read = {one.digit for all_ in union(heard(packets)).values() for one in all_}
            assert read >= set(number) - {"0"}  # nine of ten leave a tail of tone
