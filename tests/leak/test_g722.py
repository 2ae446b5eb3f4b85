"""G.722 behind the mask, with FFmpeg's decoder as the ear: media hears what phones hear, and a shut
window does not click."""

from __future__ import annotations

import numpy as np
import pytest

from media import _core
from media.formats.g722 import LOUD, Lower, quiet
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from tests.leak.codec import G722, PACKET, Floats, Pcm, decoded, encoded, wide
from tests.leak.core import Masked
from tests.leak.decoders import KEYS, RATE, union
from tests.leak.presses import dual_tone, talking

# The end of a key that lasted no time: it opens a window, and fills nothing.
EVENT, END = (
    101,
    b"\x05\x8a\0\0",
)
APART = 40  # packets between two windows


def lower_band(payloads: list[bytes]) -> Floats:
    lower = Lower()
    return np.array([lower.decode_code(code) for code in b"".join(payloads)], np.float64)


def below(hz: int, samples: Floats | Pcm) -> Floats:
    spectrum = np.fft.rfft(samples)
    spectrum[hz * len(samples) // RATE :] = 0
    return np.fft.irfft(spectrum, len(samples))


def difference_db(one: Floats, other: Floats) -> float:
    """Of two signals of which one is the later by up to 2 ms, some fraction of a sample, at the
    delay at which it is least."""
    spectrum = np.fft.rfft(one)
    turn = -2j * np.pi * np.arange(len(spectrum)) / len(one)
    least = min(
        float(((np.fft.irfft(spectrum * np.exp(turn * delay), len(one)) - other)[PACKET:-PACKET] ** 2).sum())
        for delay in np.arange(0, 16, 0.05)
    )
    return float(10 * np.log10(least / float((other**2).sum())))


def test_speech_is_decoded_as_ffmpeg_decodes_it() -> None:
    payloads = talking(4, 3, payload_type=G722).payloads
    assert difference_db(below(1800, lower_band(payloads)), below(1800, decoded(payloads, G722))) < -35


@pytest.mark.parametrize("digit", KEYS)
def test_a_key_has_the_level_that_ffmpeg_hears(digit: str) -> None:
    payloads = encoded(dual_tone(digit, RATE // 2, (-30.0, -24.0)), G722)
    mine, theirs = (
        samples[RATE // 10 :].std() for samples in (lower_band(payloads), decoded(payloads, G722))
    )
    assert mine == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize("level", [0, 10, 20, 40, LOUD, 5000])
def test_noise_is_about_as_loud_as_asked_in_ffmpeg_s_ears(level: int) -> None:
    chance = np.random.default_rng(1).integers(0, 1 << 16, 2 * RATE)
    heard = wide([bytes(quiet(int(one), level) for one in chance)])[RATE:]
    wanted = max(min(level, LOUD) / np.sqrt(3), 8)  # below that there is but the codec's own noise
    assert -4 < 20 * np.log10(heard.std() / wanted) < 4


def test_windows_in_loud_speech_end_without_a_click_and_recover() -> None:
    spoken = talking(12, 5, level=-12.0, payload_type=G722)
    core = _core.Mask(bytes([EVENT]), b"", g722=bytes([G722]))
    core.switch(True)
    left: list[bytes] = []
    for index, payload in enumerate(spoken.payloads):
        packets = [Rtp(G722, False, 2 * index, index * PACKET, Ssrc(1), payload)]
        if index % APART == APART - 1:
            packets.append(Rtp(EVENT, True, 2 * index + 1, (index + 1) * PACKET, Ssrc(1), END))
        for packet in packets:
            core.rtp(serialise(packet), 20 * index)
        left += core.released()
    left += core.switch(False)
    payloads = [packet.payload for packet in map(parse, left) if packet is not None]
    before, after = (wide(each).astype(np.float64) for each in (spoken.payloads, payloads))
    changed = [one != other for one, other in zip(spoken.payloads, payloads, strict=True)]
    windows = [
        index + 1
        for index in range(APART, len(changed) - APART)
        if changed[index] and not any(changed[index + 1 :][:20])
    ]
    assert len(windows) > 10
    louder, errors = [], []
    for first in windows:
        around = slice((first - 10) * 2 * PACKET, (first + 15) * 2 * PACKET)
        louder.append(np.abs(np.diff(after[around])).max() / np.abs(np.diff(before[around])).max())
        later = slice((first + 10) * 2 * PACKET, (first + 12) * 2 * PACKET)
        errors.append(((after - before)[later] ** 2).sum() / (before[later] ** 2).sum())
    assert max(louder) < 1.2, "no step that speech beside it has not"
    assert np.median(errors) < 0.01, "200 ms later the decoders agree"


@pytest.mark.parametrize("digit", KEYS)
def test_a_key_that_is_down_when_the_mask_goes_on_is_not_heard_from_there_on(digit: str) -> None:
    """The decoder joins half-way, and knows nothing of what went before."""
    payloads = encoded(dual_tone(digit, RATE, (-8.0, -6.0)), G722)
    assert union(decoded(payloads[10:], G722)) != {}, "the control"
    left = Masked().through(payloads[10:], payload_type=G722)
    assert union(decoded([*payloads[:5], *left], G722)) == union(decoded(payloads[:5], G722))
