"""Keys that come as tones over a line that loses packets: the digits are those that were keyed, or
the capture ends."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

from media import _core
from media.formats.coding import Coding
from media.formats.g711 import encode
from media.formats.rtp import Rtp, Ssrc, serialise
from media.mask_policy import MaskPolicy
from media.reference.audio_hold import MaskOptions
from media.reference.inband import FREQUENCIES
from media.reference.masking import Mask
from media.reference.reassembly import HOLD_MS, KeyQueue

CALLS = int(os.environ.get("TONEWALL_CALLS", "100"))
TAIL = Path(__file__).parents[3] / "fixtures/tail-of-an-event.json"
A, EVENT, RATE = 8, 101, 8000
KEYPAD = "123A456B789C*0#D"
LINEAR = np.array([encode(Coding.A, sample) for sample in range(-32768, 32768, 16)], np.uint8)


def tone(digit: str, ms: int, level: float) -> np.ndarray:
    row, column = divmod(KEYPAD.index(digit), 4)
    at = np.arange(ms * RATE // 1000) / RATE
    return level * sum(np.sin(2 * np.pi * FREQUENCIES[line] * at) for line in (row, 4 + column))


def keyed(chance: random.Random) -> tuple[bytes, np.ndarray]:
    """Some digits and their sound: 50 to 150 ms each, pauses of 60 to 400 ms, noise at -60 to -50
    dBm0."""
    digits = "".join(chance.choice("0123456789") for _ in range(chance.choice([3, 4, 6])))
    quiet = [np.zeros(chance.randrange(200, 600) * 8)]
    for digit in digits:
        quiet += [
            tone(digit, chance.randrange(50, 151), chance.uniform(800, 8000)),
            np.zeros(chance.randrange(60, 400) * 8),
        ]
    sound = np.concatenate([*quiet, np.zeros(4000)])
    return digits.encode(), sound + np.random.default_rng(chance.randrange(2**32)).normal(
        0, chance.uniform(2, 40), len(sound)
    )


def call(seed: int, loss: float, burst: int, frame: int = 160) -> tuple[bytes, list[tuple[int, bytes]]]:
    chance = random.Random(seed)
    digits, sound = keyed(chance)
    codes = LINEAR[((np.clip(sound, -32000, 32000).astype(int) + 32768) // 16)].tobytes()
    packets, left = [], 0
    for number in range(len(codes) // frame):
        if left == 0 and chance.random() < loss / burst:
            left = burst
        if left > 0 and number > 3:
            left -= 1
            continue
        payload = codes[number * frame : (number + 1) * frame]
        packet = Rtp(A, False, number, number * frame, Ssrc(5), payload)
        packets.append((1000 + number * frame // 8, serialise(packet)))
    return digits, packets


def core() -> _core.Mask:
    made = _core.Mask(bytes([EVENT]), b"", a=bytes([A]))
    made.switch(True, MaskPolicy.MASK.number, _core.GUARD, True)
    return made


def captured(mask: Mask | _core.Mask, packets: list[tuple[int, bytes]]) -> tuple[bytes, bool]:
    """The digits, and whether the capture ended."""
    digits, queue, now = b"", KeyQueue(), 0
    for now, packet in packets:
        list(mask.released())
        if isinstance(mask, Mask):
            digits += queue.take_ripe(now)
            if not all(
                queue.put(one.code, one.ssrc, one.rtp_timestamp, now) for one in mask.rtp(packet, now)[1]
            ):
                return digits, True
            continue
        digits += mask.take_ripe(now)
        try:
            mask.rtp(packet, now)
        except OverflowError:
            return digits, True
    return digits + (queue if isinstance(mask, Mask) else mask).take_ripe(now + HOLD_MS), False


def outcomes(calls: int, loss: float, burst: int, frame: int = 160) -> dict[str, list[int]]:
    """The seeds of calls that were right, that ended, and that were wrong."""
    seen: dict[str, list[int]] = {"right": [], "ended": [], "wrong": []}
    for seed in range(calls):
        digits, packets = call(seed, loss, burst, frame)
        got, has_ended = captured(core(), packets)
        is_right = digits.startswith(got) if has_ended else got == digits
        seen["wrong" if not is_right else "ended" if has_ended else "right"].append(seed)
    return seen


def reference() -> Mask:
    made = Mask(frozenset({EVENT}), frozenset(), codings={A: Coding.A})
    made.switch(True, MaskOptions(tones=True))
    return made


@pytest.mark.parametrize("frame", [160, 80])
@pytest.mark.parametrize(("loss", "burst"), [(0.03, 2), (0.03, 1), (0.05, 3)])
def test_no_digit_is_lacking_doubled_or_wrong_without_a_word(loss: float, burst: int, frame: int) -> None:
    seen = outcomes(CALLS, loss, burst, frame)
    assert seen["wrong"] == []
    assert len(seen["right"]) > CALLS // 20, (
        "a capture ends where a hole touches a tone, and goes on where none does"
    )


def test_nothing_ends_a_capture_where_nothing_is_lost() -> None:
    assert len(outcomes(CALLS, 0, 1)["right"]) == CALLS


@pytest.mark.parametrize("seed", range(6))
def test_core_and_reference_find_the_same_holes(seed: int) -> None:
    _, packets = call(seed, 0.06, 2, 80)
    assert captured(reference(), packets) == captured(core(), packets)


def test_a_tail_of_an_event_that_comes_late_and_in_pieces_is_no_press_of_its_own() -> None:
    """An event, and under 20 ms of jitter what was left of its tone: two packets of it were dropped
    as late."""
    arrivals = json.loads(TAIL.read_text())["packets"]
    for make in (core, reference):
        digits, has_ended = captured(make(), [(1000 + at, bytes.fromhex(packet)) for at, packet in arrivals])
        assert has_ended or digits == b"9"
