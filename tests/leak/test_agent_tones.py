"""The shipped tones are no keys: to the canary in every codec, and to the decoders, alone and over
speech."""

from __future__ import annotations

import numpy as np
import pytest

from media._core import Canary
from media.formats.coding import Coding
from media.prompts.encoding import encode_file
from media.prompts.sources import SHIPPED_FILES
from media.prompts.tones import TONES
from tests.leak.codec import G722, PCMA, PCMU, clipped, decoded
from tests.leak.decoders import ROWS, union
from tests.leak.presses import talking

CODINGS = {PCMU: Coding.MU, PCMA: Coding.A, G722: Coding.G722}
_SOFTER = 10 ** (-12 / 20)  # the customer's speech below a tone


def payloads(name: str, payload_type: int) -> list[bytes]:
    octets = encode_file(SHIPPED_FILES / "en" / f"{name}.opus")[CODINGS[payload_type]]
    return [octets[at : at + 160] for at in range(0, len(octets), 160)]


@pytest.mark.parametrize("name", TONES)
@pytest.mark.parametrize("payload_type", CODINGS)
def test_no_decoder_and_no_canary_hears_a_key(name: str, payload_type: int) -> None:
    tone = payloads(name, payload_type)
    repeated = [each for _ in range(20) for each in tone]
    canary = Canary()
    assert not any(canary.hears(each, CODINGS[payload_type]) for each in repeated)
    assert not any(canary.sees(each) for each in repeated)
    pcm = decoded(repeated, payload_type)
    assert float(np.abs(pcm.astype(float)).max()) > 2000  # it can be heard
    assert {who: found for who, found in union(pcm).items() if found} == {}


@pytest.mark.parametrize("name", TONES)
def test_over_speech_decoders_hear_no_more_than_without(name: str) -> None:
    tone = decoded(payloads(name, PCMU), PCMU).astype(float)
    speech = decoded(talking(20, 5).payloads, PCMA).astype(float) * _SOFTER
    over = np.resize(tone, len(speech)) + speech
    alone, together = (sum(map(len, union(clipped(pcm)).values())) for pcm in (speech, over))
    assert together <= alone


@pytest.mark.parametrize("name", TONES)
def test_all_of_a_tone_is_below_the_keys_own_frequencies(name: str) -> None:
    pcm = decoded(payloads(name, PCMU), PCMU).astype(float)
    power = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))) ** 2
    hertz = np.fft.rfftfreq(len(pcm), 1 / 8000)
    assert power[hertz > min(ROWS) * 0.965].sum() < power.sum() / 1000
