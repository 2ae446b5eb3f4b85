"""Keys that are tones: each press once, whatever form it has, and what stands in its place, through
the product's own mask."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

import numpy as np
import pytest

from media import _core
from media.formats.coding import Coding
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.mask_policy import MaskPolicy
from media.reference.audio_hold import MaskOptions
from media.reference.masking import Mask
from tests.leak.carriers import CAPTURES, EVENT, HABITS, Habit, captures, keyed, replay
from tests.leak.codec import G722, PACKET, PCMA, PCMU, Floats, decoded, encoded
from tests.leak.decoders import RATE, union
from tests.leak.presses import NOISE, SPEECH, Condition, dual_tone, recording, talking
from tests.leak.timeline import Packet

CARD, OTHER = "4111111111111111", "5500000000000004"
CODECS = pytest.mark.parametrize("payload_type", [PCMA, G722], ids=["G.711", "G.722"])
QUICK = Habit("tones, pressed quickly", before=60, event=0)


class Line:
    """What a carrier sends into a mask that hears keys: what is captured, and what leaves."""

    def __init__(
        self, policy: MaskPolicy = MaskPolicy.MASK, *, tones: bool = True, flat: bool = False
    ) -> None:
        opaque = bytes(range(96, 101))
        self.core = _core.Mask(
            bytes([EVENT]), b"", mu=bytes([PCMU]), a=bytes([PCMA]), opaque=opaque, g722=bytes([G722])
        )
        self.core.switch(True, policy.number, _core.GUARD, tones, flat)
        self.digits, self.left, self.now = "", list[bytes](), 0

    def send(self, packet: bytes, now: int) -> None:
        self.now = now
        self.core.rtp(packet, now)
        self.left += self.core.released()
        self.digits += self.core.take_ripe(now).decode()

    def play(self, packets: list[Packet]) -> str:
        for index, packet in enumerate(packets):
            self.send(bytes(packet), 20 * index)
        return self.end()

    def say(self, payloads: list[bytes], payload_type: int, lost: Collection[int] = ()) -> str:
        for index, payload in enumerate(payloads):
            if index not in lost:
                packet = Rtp(payload_type, index == 0, index % 0x10000, index * PACKET, Ssrc(1), payload)
                self.send(serialise(packet), 20 * index)
        return self.end()

    def end(self) -> str:
        self.left += self.core.switch(False)
        self.digits += self.core.take_ripe(self.now + 1000).decode()
        return self.digits

    def payloads(self) -> list[bytes]:
        return [packet.payload for packet in map(parse, self.left) if packet is not None]


def pressed(digits: str, tone: int, pause: int, lead: int) -> Floats:
    """Tones and pauses in samples; the first begins `lead` samples after half a second."""
    parts = [np.zeros(RATE // 2 + lead)]
    for digit in digits:
        parts += [dual_tone(digit, tone, (-12.0, -10.0)), np.zeros(pause)]
    return np.concatenate([*parts, np.zeros(RATE // 4)])


@CODECS
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("habit", [*HABITS, QUICK], ids=lambda habit: habit.name)
def test_every_habit_of_carriers_is_captured_once_and_in_order(
    habit: Habit, seed: int, payload_type: int
) -> None:
    for card in (CARD, OTHER):
        assert Line().play(keyed(card, habit, seed, payload_type=payload_type)) == card


@CODECS
@pytest.mark.parametrize("habit", [*HABITS, QUICK], ids=lambda habit: habit.name)
def test_the_reference_hears_them_as_the_core_does(habit: Habit, payload_type: int) -> None:
    codings = {PCMU: Coding.MU, PCMA: Coding.A, G722: Coding.G722}
    reference = Mask(frozenset({EVENT}), frozenset(), codings=codings)
    reference.switch(True, MaskOptions(tones=True, placeholder=True))
    core, heard = Line(flat=True).core, 0
    for index, packet in enumerate(keyed("4490", habit, 5, payload_type=payload_type)):
        out, presses = reference.rtp(bytes(packet), 20 * index)
        assert core.rtp(bytes(packet), 20 * index) == (out, bytes(press.code for press in presses))
        assert core.released() == list(reference.released())
        heard += len(presses)
    assert heard == 4


def test_without_the_option_tones_are_no_keys() -> None:
    assert Line(tones=False).play(keyed(CARD, HABITS[-1], 1)) == ""


def test_captures_of_real_carriers_are_captured_once_though_their_tails_are_heard() -> None:
    if not captures():
        pytest.xfail(f"no captures of real carriers: {CAPTURES} names no folder with any")
    for capture in captures():
        line = Line()
        for time, packet in replay(capture):
            line.send(bytes(packet), round(1000 * time))
        assert line.end() == capture.stem.partition("-")[2], CAPTURES


@CODECS
@pytest.mark.parametrize("lead", range(0, 40, 3))
def test_two_presses_of_one_key_that_40_ms_part_are_two(lead: int, payload_type: int) -> None:
    for tone in (40, 65, 200):
        spoken = pressed("55#00", tone * RATE // 1000, 40 * RATE // 1000, lead)
        assert Line().say(encoded(spoken, payload_type), payload_type) == "55#00", tone


@CODECS
@pytest.mark.parametrize("lost", [1, 2])
def test_frames_that_are_lost_in_a_tone_do_not_double_it(lost: int, payload_type: int) -> None:
    payloads = encoded(pressed("7", RATE // 4, RATE // 4, 13), payload_type)
    for first in range(26, 38):
        try:
            assert Line().say(payloads, payload_type, range(first, first + lost)) == "7", first
        except OverflowError:
            assert lost == 2, "of a hole of 40 ms nobody knows; one of 20 ms parts nothing"


@pytest.mark.parametrize(
    ("condition", "most"),
    [(Condition("clean"), 0), (Condition("noise", NOISE, 12.0), 0), (Condition("speech", SPEECH, 12.0), 2)],
    ids=["clean", "noise", "speech"],
)
def test_random_presses_are_captured(condition: Condition, most: int) -> None:
    """`most`: presses of 100 that speech may hide or add."""
    wrong = 0
    for seed in (11, 12):
        keys = recording(condition, 50, seed)
        heard = Line().say(keys.payloads, keys.payload_type)
        wrong += distance("".join(press.digit for press in keys.presses), heard)
    assert wrong <= most


def distance(one: str, other: str) -> int:
    """How many digits must be left out, put in or changed to make one of the other."""
    row = list(range(len(other) + 1))
    for place, digit in enumerate(one, 1):
        after = [place]
        for at, (before, here) in enumerate(pairwise(row)):
            after.append(min(before + (digit != other[at]), here + 1, after[-1] + 1))
        row = after
    return row[-1]


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_minutes_of_speech_have_hardly_a_key(seed: int) -> None:
    assert len(Line().say(talking(600, seed).payloads, PCMA)) <= 1


# --- what stands in the place of a press ----------------------------------------------------------


@CODECS
@pytest.mark.parametrize("policy", MaskPolicy)
def test_a_flat_tone_in_place_of_events_tells_no_key_from_another(
    policy: MaskPolicy, payload_type: int
) -> None:
    lines = [Line(policy, flat=True) for _ in range(2)]
    for line, card in zip(lines, (CARD, OTHER), strict=True):
        line.play(keyed(card, HABITS[0], 3, payload_type=payload_type))
    assert lines[0].left == lines[1].left
    spectrum = np.abs(np.fft.rfft(decoded(lines[0].payloads(), payload_type).astype(np.float64)))
    at = 400 * len(spectrum) // (RATE // 2)
    beside = np.median(spectrum[at - 2000 : at + 2000])
    assert bool(spectrum[at - 3 : at + 4].max() > 100 * beside) == (policy is not MaskPolicy.MUTE)


@CODECS
def test_a_flat_tone_in_place_of_a_tone_is_all_that_is_heard_of_it(payload_type: int) -> None:
    """Two keys that begin at the same sample leave the same bytes, but for where they are found and
    let go."""
    heard = []
    for digit in "19":
        line = Line(flat=True)
        line.say(encoded(pressed(digit, RATE // 4, RATE // 4, 0), payload_type), payload_type)
        assert union(decoded(line.payloads(), payload_type)) == {
            name: [] for name in union(np.zeros(0, np.int16))
        }
        heard.append(b"".join(line.payloads()))
    first, last = RATE // 2 + RATE * 40 // 1000, RATE // 2 + RATE // 4
    assert heard[0][first:last] == heard[1][first:last]
    assert len(set(heard[0][first:last])) > 4, "no silence"
