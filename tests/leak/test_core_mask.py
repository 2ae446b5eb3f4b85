"""The product's mask before the rig: nothing is read on the agent's side, each key is captured
once, no byte tells a digit."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tests.leak.carriers import CAPTURES, HABITS, Habit, captures, keyed, replay
from tests.leak.codec import G722, PACKET, PCMA, PCMU, encoded
from tests.leak.core import Masked, Muted, MutedOnKey
from tests.leak.core_masked import EVENT, paced, through
from tests.leak.decoders import KEYS, RATE, union
from tests.leak.judge import one_recording
from tests.leak.presses import dual_tone
from tests.leak.report import A_RECORDING, ALONE, REQUIRED, SHOWN, measure
from tests.leak.timeline import Packet, heard, parse
from tests.leak.voice import Talk, false_masks

CARD, OTHER = "4111111111111111", "5500000000000004"
CODECS = pytest.mark.parametrize("payload_type", [PCMA, G722], ids=["G.711", "G.722"])
POLICIES = pytest.mark.parametrize("mask", [Masked, MutedOnKey, Muted], ids=lambda mask: mask.__name__)


def read(left: Iterable[bytes]) -> list[str]:
    """What any decoder makes of the agent's side."""
    audio = [packet for packet in map(parse, left) if packet is not None]
    assert {packet.payload_type for packet in audio} <= {PCMU, PCMA, G722}
    return [one.digit for digits in union(heard(audio)).values() for one in digits]


@POLICIES
@CODECS
@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_no_carrier_s_habit_leaks(mask: type[Masked], habit: Habit, payload_type: int) -> None:
    left, digits = through(mask, paced(keyed(CARD, habit, seed=1, payload_type=payload_type)))
    assert read(left) == []
    assert digits == (CARD if habit.event else "")


@POLICIES
def test_captures_of_real_carriers_leak_nothing_and_are_captured_once_in_order(mask: type[Masked]) -> None:
    if not captures():
        pytest.xfail(f"no captures of real carriers: {CAPTURES} names no folder with any")
    for capture in captures():
        number = Path(capture).stem.partition("-")[2]
        packets = [(round(1000 * time), bytes(packet)) for time, packet in replay(capture)]
        left, digits = through(mask, packets)
        assert digits == number, CAPTURES
        assert read(left) == []


@POLICIES
@CODECS
@pytest.mark.parametrize(
    "habit", [HABITS[0], Habit("events in silence", floor=-80.0)], ids=lambda habit: habit.name
)
def test_two_cards_keyed_alike_leave_the_same_bytes(
    mask: type[Masked], habit: Habit, payload_type: int
) -> None:
    """Leak rule 2: of events nothing at all is left."""
    sent = [keyed(card, habit, seed=3, payload_type=payload_type) for card in (CARD, OTHER)]
    first, second = (through(mask, paced(packets))[0] for packets in sent)
    assert first == second
    assert len(first) > 100


def test_the_short_report_has_no_leak() -> None:
    rows = measure(Masked, [*REQUIRED, *ALONE[:4]], 40, seed=5, jobs=1)
    for row in rows:
        assert row.leaked["union"] == 0, row.name
        assert row.control["union"] >= 0.9 * row.presses, row.name


# In each of these one press or two were read by somebody before a sure key made others expected
# (docs/adr/0024).
@pytest.mark.parametrize("seed", [1000033, 1000039, 1000062, 1000078, 1000086, 1000157])
def test_what_speech_hides_of_a_key_is_shut_where_keys_are_expected(seed: int) -> None:
    [condition] = (one for one in REQUIRED if one.name == "speech 6 dB below")
    row = one_recording(Masked, condition, A_RECORDING, seed)
    assert row.leaked["union"] == 0


def test_what_speech_as_loud_as_the_tone_hides_is_not_heard_under_mute_on_key() -> None:
    for row in measure(MutedOnKey, SHOWN, 20, seed=5, jobs=1):
        assert row.leaked["union"] == 0, row.name


@pytest.mark.parametrize("payload_type", [PCMU, PCMA])
def test_speech_is_taken_for_a_key_at_most_once_in_ten_minutes_and_not_for_long(payload_type: int) -> None:
    voice = false_masks(Masked, Talk("ten minutes", minutes=10, payload_type=payload_type), 11)
    assert len(voice.changed) <= 1
    assert max(voice.changed, default=0.0) <= 70.0


@pytest.mark.parametrize("payload_type", [PCMU, PCMA, G722], ids=["mu-law", "A-law", "G.722"])
@pytest.mark.parametrize("size", [80, 160, 480])
@pytest.mark.parametrize("seed", range(6))
def test_keys_of_which_packets_are_lost_or_late_are_not_heard(
    payload_type: int, size: int, seed: int
) -> None:
    """A tone with holes is a tone to whoever hears it in its time; a mask that put the pieces
    together would hear none."""
    left, count = _chopped(payload_type, size, seed)
    assert len(left) > count // 3
    assert read(left) == []


def _chopped(payload_type: int, size: int, seed: int) -> tuple[list[bytes], int]:
    chance, audio = random.Random(seed), np.random.default_rng(seed).normal(0, 30, 14 * RATE)
    for press in range(40):
        start, length = RATE // 2 + press * RATE // 4, chance.choice([400, 400, 640])
        audio[start : start + length] += dual_tone(chance.choice(KEYS), length, (-9.0, -9.0))
    octets = b"".join(encoded(audio, payload_type))
    sent = []
    for number, at in enumerate(range(0, len(octets) - size, size)):
        late = chance.uniform(0, 40) + (chance.uniform(0, 200) if chance.random() < 0.1 else 0)
        packet = Packet(payload_type, number, at, 7, octets[at : at + size])
        sent.append((round(at / 8 + late), bytes(packet)))
    return through(Masked, sorted(sent))[0], len(sent)


def test_g_722_is_shut_for_a_while_after_what_filled_an_event_s_time() -> None:
    """Its sender's encoder goes on from what nobody has heard: what it is decoded to has to be
    found again."""
    size, event_at, filled = PACKET, 25, 15
    open_after = {}
    for payload_type in (PCMA, G722):
        payloads = encoded(np.random.default_rng(1).normal(0, 30, 100 * PACKET), payload_type)
        packets = [
            (20 * index, bytes(Packet(payload_type, index + (index >= event_at), index * size, 7, payload)))
            for index, payload in enumerate(payloads)
        ]
        event = Packet(EVENT, event_at, event_at * size, 7, struct.pack("!BBH", 3, 0x80, filled * size))
        left, _ = through(Masked, [*packets[:event_at], (20 * event_at, bytes(event)), *packets[event_at:]])
        heard_at = {
            packet.rtp_timestamp // size: packet.payload for packet in map(parse, left) if packet is not None
        }
        after = range(event_at + filled, len(payloads) - 5)
        open_after[payload_type] = (
            next(at for at in after if heard_at[at] == payloads[at]) - event_at - filled
        )
    assert open_after[PCMA] <= 1
    assert open_after[G722] >= 3, "60 ms"


@pytest.mark.parametrize("payload_type", [PCMU, G722], ids=["G.711", "G.722"])
@pytest.mark.parametrize("duration", [800, 1600, 2400])
@pytest.mark.parametrize("at", [-2, 0, 1])
@pytest.mark.parametrize("digit", ["2", "#"])
def test_a_tone_is_not_let_out_by_an_event_that_says_it_lasts_longer(
    payload_type: int, duration: int, at: int, digit: str
) -> None:
    audio = np.random.default_rng(1).normal(0, 5, 100 * PACKET)
    audio[25 * PACKET : 45 * PACKET] += dual_tone(digit, 20 * PACKET, (-3.0, -3.0))
    event = struct.pack("!BBH", 3, 0x80, duration)
    packets = []
    for index, payload in enumerate(encoded(audio, payload_type)):
        if index == 25 + at:
            packets.append((20 * index, bytes(Packet(EVENT, index, index * PACKET, 7, event))))
        number = index + (index >= 25 + at)
        packets.append((20 * index, bytes(Packet(payload_type, number, index * PACKET, 7, payload))))
    left, _ = through(Masked, packets)
    assert read(left) == []
