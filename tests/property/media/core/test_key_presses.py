"""One key press is one digit, whatever the network does to its packets: the reference and the core
on the same streams."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import _core
from media.formats.rtp import Rtp, Ssrc, serialise
from media.formats.telephone_event import KEYS, SEGMENT, TelephoneEvent
from media.formats.telephone_event import serialise as serialise_event
from media.reference.masking import Mask
from media.reference.reassembly import HOLD_MS, LOST, KeyQueue

EVENTS, AUDIO = 101, 0
SSRC = Ssrc(0xCAFE0001)
TICKS_A_MS = 8


@dataclass(frozen=True)
class Press:
    code: int
    length_ms: int
    pause_ms: int


@dataclass(frozen=True)
class Weather:
    """What happens to event packets on their way."""

    seed: int
    loss: float = 0.0
    duplication: float = 0.0
    jitter_ms: int = 0
    lost_start: bool = False
    lost_end: bool = False


presses = st.builds(
    Press, code=st.integers(0, 15), length_ms=st.integers(40, 400), pause_ms=st.integers(40, 300)
)
weathers = st.builds(
    Weather,
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    duplication=st.sampled_from([0.0, 0.1, 0.5]),
    jitter_ms=st.integers(0, 60),
    lost_start=st.booleans(),
    lost_end=st.booleans(),
)


def packets_of(
    press: Press, started_ms: int, sequence: int, origin: int, marks: bool
) -> list[tuple[int, bytes]]:
    """A press as a sender makes it: one packet every 20 ms, segments, the end three times. (ms,
    packet)."""
    sent = []
    start = origin + started_ms * TICKS_A_MS
    segment = 0
    for step in range(1, max(2, press.length_ms // 20) + 1):
        is_end = step == max(2, press.length_ms // 20)
        elapsed = step * 20 * TICKS_A_MS
        if elapsed - segment > SEGMENT:
            segment += SEGMENT
        event = TelephoneEvent(code=press.code, end=is_end, duration=elapsed - segment)
        packet = serialise(
            Rtp(
                payload_type=EVENTS,
                marker=marks and step == 1,
                sequence_number=(sequence + step) % 0x10000,
                rtp_timestamp=(start + segment) % 2**32,
                ssrc=SSRC,
                payload=serialise_event(event),
            )
        )
        sent += [(started_ms + step * 20 + 20 * copy, packet) for copy in range(3 if is_end else 1)]
    return sent


def through(weather: Weather, groups: list[list[tuple[int, bytes]]]) -> list[tuple[int, bytes]]:
    """What arrives, in order of arrival: at least one packet of every press."""
    chance = random.Random(weather.seed)
    arrived: list[tuple[int, bytes]] = []
    for sent in groups:
        kept = sent[1:] if weather.lost_start else list(sent)
        if weather.lost_end and len(kept) > 3:
            kept = kept[:-3]
        survivors = [each for each in kept if chance.random() >= weather.loss] or [chance.choice(kept)]
        for at, packet in survivors:
            for _ in range(1 + (chance.random() < weather.duplication)):
                arrived.append((at + chance.randint(0, weather.jitter_ms), packet))
    return sorted(arrived, key=lambda each: each[0])


class Reference:
    def __init__(self) -> None:
        self.mask, self.keys = Mask(frozenset({EVENTS}), frozenset({AUDIO}), on=True), KeyQueue()

    def receive(self, packet: bytes, now_ms: int) -> bytes | None:
        out, keyed = self.mask.rtp(packet, now_ms)
        for each in keyed:
            if each.code == LOST:
                raise OverflowError("nobody can tell it")
            assert self.keys.put(each.code, each.ssrc, each.rtp_timestamp, now_ms)
        return out

    def take(self, now_ms: int) -> bytes:
        return self.keys.take_ripe(now_ms)


class Core:
    def __init__(self) -> None:
        self.mask = _core.Mask(bytes([EVENTS]), bytes([AUDIO]))
        self.mask.switch(True)

    def receive(self, packet: bytes, now_ms: int) -> bytes | None:
        return self.mask.rtp(packet, now_ms)[0]

    def take(self, now_ms: int) -> bytes:
        return self.mask.take_ripe(now_ms)


BOTH = pytest.mark.parametrize("make", [Reference, Core])


def digits_of(receiver: Reference | Core, arrivals: list[tuple[int, bytes]]) -> bytes:
    """What is taken by a capture that asks every 10 ms. Nothing may leave while masked."""
    digits, now = b"", 0
    for at, packet in arrivals:
        while now < at:
            now += 10
            digits += receiver.take(now)
        assert receiver.receive(packet, at) is None
    return digits + receiver.take(now + HOLD_MS + 10)


def press_all(keyed: list[Press], origin: int = 1000, sequence: int = 65530, marks: bool = True):
    groups, now = [], 0
    for press in keyed:
        groups.append(packets_of(press, now, sequence, origin, marks))
        sequence += len(groups[-1])
        now += press.length_ms + press.pause_ms
    return groups


def expected(keyed: list[Press]) -> bytes:
    return bytes(KEYS[press.code] for press in keyed)


@BOTH
@settings(max_examples=150, deadline=None)
@given(
    keyed=st.lists(presses, min_size=1, max_size=20),
    weather=weathers,
    origin=st.integers(0, 2**32 - 1),
    sequence=st.integers(0, 0xFFFF),
    marks=st.booleans(),
)
def test_each_key_press_is_one_digit_whatever_the_network_does(make, keyed, weather, origin, sequence, marks):
    arrivals = through(weather, press_all(keyed, origin, sequence, marks))
    try:
        assert digits_of(make(), arrivals) == expected(keyed)
    except OverflowError:
        # An end that comes alone, as long as the one before: the same press or another (ADR 0025).
        assert any(one.code == other.code for one, other in pairwise(keyed))


@BOTH
@pytest.mark.parametrize("origin", [2**32 - step for step in (1, 160, 1600, 3200, 16000)])
@pytest.mark.parametrize("sequence", range(65520, 65536, 3))
def test_wrap_points_of_rtp_timestamp_and_sequence_number_are_no_new_press(make, origin, sequence):
    keyed = [Press(code % 12, 100, 60) for code in range(14)]
    weather = Weather(seed=origin, loss=0.05, duplication=0.1, jitter_ms=60)
    assert digits_of(make(), through(weather, press_all(keyed, origin, sequence))) == expected(keyed)


@BOTH
@settings(max_examples=15, deadline=None)
@given(
    length_ms=st.integers(8_000, 30_000),
    weather=st.builds(Weather, seed=st.integers(0, 2**32), loss=st.just(0.05), jitter_ms=st.integers(0, 60)),
    origin=st.integers(0, 2**32 - 1),
)
def test_a_press_longer_than_a_segment_is_one_digit(make, length_ms, weather, origin):
    keyed = [Press(4, 100, 100), Press(7, length_ms, 100), Press(7, 100, 100)]
    assert digits_of(make(), through(weather, press_all(keyed, origin))) == expected(keyed)


@BOTH
def test_the_same_recording_played_again_is_a_new_press(make):
    once = [(at, packet) for at, packet in press_all([Press(1, 160, 0)])[0]]
    arrivals = [(at + 500 * play, packet) for play in range(4) for at, packet in once]
    assert digits_of(make(), arrivals) == b"1111"


@BOTH
def test_copies_of_the_end_that_were_held_up_are_no_new_press(make):
    sent = press_all([Press(5, 160, 0)])[0]
    arrivals = [
        (at + (400 if index >= len(sent) - 2 else 0), packet) for index, (at, packet) in enumerate(sent)
    ]
    assert digits_of(make(), arrivals) == b"5"
