"""The core numbers the mask policies as MaskPolicy orders them."""

import math
from array import array

import pytest

from media._core import Hearing
from media.mask_policy import BLOCK_SECONDS, MaskPolicy

RATE = 8000
GUARD = round(2.0 / BLOCK_SECONDS)


def sounding(seconds: float, *tones: int) -> bytes:
    """16-bit samples of these frequencies, in Hz."""
    return array(
        "h",
        (
            round(sum(3000 * math.sin(2 * math.pi * tone * at / RATE) for tone in tones))
            for at in range(int(seconds * RATE))
        ),
    ).tobytes()


@pytest.mark.parametrize(
    ("policy", "before", "after"),
    [(MaskPolicy.MASK, False, False), (MaskPolicy.MUTE_ON_KEY, False, True), (MaskPolicy.MUTE, True, True)],
)
def test_the_core_treats_audio_before_and_after_a_key_as_the_policy_says(
    policy: MaskPolicy, before: bool, after: bool
) -> None:
    hearing = Hearing(policy.number, GUARD)
    heard = hearing.hear(sounding(0.5, 440))
    assert hearing.is_shut(heard - 800, heard - 400) == before
    heard = hearing.hear(sounding(0.1, 770, 1336) + sounding(0.5, 440))
    assert hearing.is_shut(heard - 800, heard - 400) == after


def test_the_core_knows_no_other_policy() -> None:
    with pytest.raises(ValueError, match="policy"):
        Hearing(len(MaskPolicy), GUARD)
