"""What the core says of a customer's keys: how many came in which form, whether each comes twice,
whether the customer talks. None of it says which keys they are."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import _core
from media.formats.rtp import Rtp, Ssrc, serialise
from tests.leak.codec import PACKET, PCMU, Floats, amplitude, encoded
from tests.leak.presses import dual_tone
from tests.leak.speech import voice

EVENT = 101
MS = 8  # samples
QUIET = b"\xff" * PACKET
CARD = "4444333322221111"  # each digit has its like beside it


class Caller:
    """A customer's packets, every 20 ms, into a mask."""

    def __init__(self, *, tones: bool = False, slow: bool = False) -> None:
        self.core = _core.Mask(bytes([EVENT]), b"", mu=bytes([PCMU]))
        self.core.switch(True, 0, _core.GUARD, tones)
        self.core.slow(slow)
        self.now, self.number = 0, 0
        self.digits = ""
        self.told: list[tuple[int, int, int, bool, bool]] = []

    def send(self, payload: bytes, payload_type: int = PCMU, at: int | None = None) -> None:
        stamp = self.now * MS if at is None else at
        packet = Rtp(payload_type, False, self.number % 0x10000, stamp % 2**32, Ssrc(5), payload)
        self.core.rtp(serialise(packet), self.now)
        self.core.released()
        self.number, self.now = self.number + 1, self.now + 20
        self.digits += self.core.take_ripe(self.now).decode()
        self.told.append(self.core.key_figures())

    def wait(self, ms: int) -> None:
        for _ in range(ms // 20):
            self.send(QUIET)

    def event(self, key: str, ms: int = 60) -> None:
        at, code = self.now * MS, "0123456789*#".index(key)
        for part in range(1, ms // 20 + 1):
            end = part == ms // 20
            duration = (160 * part).to_bytes(2, "big")
            self.send(bytes([code, 0x8A if end else 0x0A]) + duration, EVENT, at)

    def say(self, audio: Floats) -> None:
        for payload in encoded(audio, PCMU):
            self.send(payload)

    def tone(self, key: str, ms: int = 60) -> None:
        self.say(dual_tone(key, ms * MS, (-10, -10)))

    def end(self) -> str:
        self.wait(400)
        return self.digits


def test_events_are_counted_as_events_and_tones_as_tones_captured_or_not() -> None:
    for tones in (False, True):
        caller = Caller(tones=tones)
        caller.wait(200)
        for key in "40":
            caller.event(key)
            caller.wait(300)
        for key in "126":
            caller.tone(key)
            caller.wait(300)
        assert caller.end() == ("40126" if tones else "40")
        assert caller.core.key_figures()[:3] == (2, 3, 0)


def test_a_press_in_both_forms_is_counted_as_both() -> None:
    caller = Caller(tones=True)
    caller.wait(200)
    for key in "4012":
        caller.event(key, 80)
        caller.tone(key)  # a tail, right behind
        caller.wait(300)
    assert caller.end() == "4012"
    assert caller.core.key_figures()[:3] == (4, 4, 4)


@pytest.mark.parametrize("pause", [200, 260, 400, 1000, 5000])
def test_a_key_that_comes_again_as_a_tone_is_not_taken_for_the_event_before_it(pause: int) -> None:
    """Its tone began now, not when the key showed for the first time."""
    caller = Caller(tones=True)
    caller.wait(200)
    for _ in range(3):
        caller.tone("5")
        caller.wait(pause)
        caller.event("5")
        caller.wait(pause)
    assert caller.end() == "555555"


def doubled(keys: str, *, slow: bool, within: int = 160, between: int = 600, tones: bool = False) -> Caller:
    caller = Caller(slow=slow, tones=tones)
    caller.wait(200)
    for key in keys:
        caller.event(key)
        caller.wait(within)
        caller.tone(key) if tones else caller.event(key)
        caller.wait(between)
    caller.end()
    return caller


@pytest.mark.parametrize("tones", [False, True], ids=["two events", "an event and a late tone"])
def test_keys_that_come_twice_are_told_at_the_fourth_pair_and_joined_in_slow_mode(tones: bool) -> None:
    caller = doubled("4121", slow=False, tones=tones)
    assert caller.digits == "44112211"
    assert caller.core.key_figures()[3]
    assert not doubled("412", slow=False, tones=tones).core.key_figures()[3]
    slow = doubled("4121" + "2345", slow=True, tones=tones)
    assert slow.digits == "41212345"
    assert slow.core.key_figures()[3], "it is still told that they do"


@pytest.mark.parametrize("within", [40, 200, 320])
def test_slow_mode_joins_what_comes_within_four_hundred_milliseconds_and_nothing_later(within: int) -> None:
    assert doubled("1123", slow=True, within=within).digits == "1123"
    later = doubled("1123", slow=True, within=360)  # 60 ms of the key before come on top
    assert later.digits == "11112233"


def test_slow_mode_joins_no_two_keys_that_differ() -> None:
    caller = Caller(slow=True)
    for key in "1212121":
        caller.event(key)
        caller.wait(60)
    assert caller.end() == "1212121"


@pytest.mark.parametrize("pace", [100, 160, 240, 300, 500])
def test_whoever_keys_equal_digits_at_an_even_pace_keys_none_twice(pace: int) -> None:
    caller = Caller()
    for key in CARD * 2:
        caller.event(key)
        caller.wait(pace)
    assert caller.end() == CARD * 2
    assert not any(told[3] for told in caller.told)


def test_whoever_keys_in_pairs_keys_none_twice_unless_they_are_equal() -> None:
    caller = Caller()
    for one, other in ("41", "11", "21", "23", "45", "67", "89", "01"):
        caller.event(one)
        caller.wait(160)
        caller.event(other)
        caller.wait(900)
    caller.end()
    assert not any(told[3] for told in caller.told)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    first=st.text("0123456789", min_size=12, max_size=19),
    tones=st.booleans(),
    pace=st.integers(4, 30),
)
def test_two_cards_keyed_in_the_same_time_are_told_alike_at_each_moment(seed, first, tones, pace):
    """The same figures after each packet, whichever digits they are."""
    chance = random.Random(seed)
    second = "".join(chance.choice("0123456789") for _ in first)
    told = []
    for card in (first, second):
        rhythm, caller = random.Random(seed), Caller(tones=tones)
        caller.wait(200)
        for key in card:
            caller.event(key, rhythm.choice([60, 100, 200]))
            caller.wait(20 * pace + 20 * rhythm.randrange(4))
        caller.end()
        told.append(caller.told)
    assert told[0] == told[1]


def talked(audio: Floats) -> Caller:
    caller = Caller()
    caller.wait(200)
    caller.say(audio)
    return caller


@pytest.mark.parametrize("name", ["espeak:en-gb", "espeak:pl+f4", "asterisk:en_US_f_Allison"])
def test_a_customer_who_talks_is_told_within_four_seconds_and_a_key_takes_it_back(name: str) -> None:
    caller = talked(voice(name)[: 4 * 8000] * amplitude(-20) / amplitude(0))
    assert caller.core.key_figures()[4]
    caller.event("5")
    assert not caller.core.key_figures()[4]


def test_neither_silence_nor_noise_nor_a_steady_tone_is_talk() -> None:
    chance, count = random.Random(4), 6 * 8000
    level = amplitude(-25)
    noise = [chance.gauss(0, level) for _ in range(count)]
    times = np.arange(count) / 8000
    for audio in (
        np.zeros(count),
        np.array(noise),
        level * np.sin(2 * np.pi * 425 * times),
        level * np.sin(2 * np.pi * 425 * times) * (times % 1 < 0.5),  # busy
    ):
        assert not any(told[4] for told in talked(audio).told)
