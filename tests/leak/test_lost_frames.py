"""A frame of 10 ms between lost ones, and a phone that conceals what is lost: no decoder reads a
key behind it."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from media import _core
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from tests.leak.codec import PCMA, decoded, encoded
from tests.leak.decoders import KEYS, RATE, Pcm, union
from tests.leak.presses import dual_tone

FRAME = 80
CASES = json.loads((Path(__file__).parents[1] / "fixtures/frames-of-tone-alone.json").read_text())


def left(arrivals: list[tuple[int, bytes]], *, tones: bool = False) -> list[Rtp]:
    """What leaves for the agent."""
    core = _core.Mask(b"\x65", b"", a=bytes([PCMA]))
    core.switch(True, 0, _core.GUARD, tones)
    packets = []
    for at, packet in arrivals:
        with contextlib.suppress(OverflowError):  # the capture ends, and not what leaves
            core.rtp(packet, 1000 + at)
        packets += core.released()
    return [heard for heard in map(parse, [*packets, *core.switch(False)]) if heard is not None]


def joined(packets: list[Rtp], concealed: Callable[[bytes, int], bytes]) -> Pcm:
    """A phone's sound: where frames are missing it plays what `concealed` makes of the last one and
    of how many there are."""
    payloads: list[bytes] = []
    for before, packet in zip([None, *packets], packets, strict=False):
        gap = (packet.rtp_timestamp - before.rtp_timestamp) % 2**32 // FRAME - 1 if before else 0
        payloads += [concealed(payloads[-1], number) for number in range(min(gap, 12))]
        payloads.append(packet.payload)
    return np.concatenate(
        [np.zeros(RATE // 10, np.int16), decoded(payloads, PCMA), np.zeros(RATE // 10, np.int16)]
    )


def repeated(last: bytes, number: int) -> bytes:
    """The last frame again, as long as 60 ms; then nothing."""
    return last if number < 6 else b"\xd5" * FRAME


def silent(last: bytes, number: int) -> bytes:
    return b"\xd5" * FRAME


VIEWS = {"repeat": repeated, "time": silent}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["view"])
def test_frames_of_tone_that_were_once_read_are_read_no_more(case: dict[str, object]) -> None:
    arrivals = [(at, bytes.fromhex(packet)) for at, packet in case["arrivals"]]  # type: ignore[attr-defined]
    sound = joined(left(arrivals, tones=bool(case["tones"])), VIEWS[str(case["view"])])
    assert [one.digit for digits in union(sound).values() for one in digits] == []


@pytest.mark.parametrize("view", VIEWS)
def test_no_key_is_read_behind_a_phone_that_conceals_loss(view: str) -> None:
    read = []
    for seed in range(60):
        chance = random.Random(seed)
        tone = dual_tone(chance.choice(KEYS), chance.randrange(480, 1200), (-10.0, -9.0))
        sound = np.concatenate([np.zeros(chance.randrange(2000, 2080)), tone, np.zeros(1600)])
        sound += np.random.default_rng(seed).normal(0, 8, len(sound))
        payloads = b"".join(encoded(sound, PCMA))
        arrivals = []
        for number in range(len(payloads) // FRAME):
            if chance.random() < 0.35:
                continue
            packet = Rtp(
                PCMA, False, number, number * FRAME, Ssrc(1), payloads[number * FRAME : (number + 1) * FRAME]
            )
            arrivals.append((10 * number, serialise(packet)))
        digits = union(joined(left(arrivals), VIEWS[view]))
        read += [f"seed {seed}: {one.digit} by {name}" for name, ones in digits.items() for one in ones]
    assert read == []
