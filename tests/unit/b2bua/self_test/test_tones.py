"""The tones of the self-test: what it makes it finds, and it finds none in what is no key."""

from __future__ import annotations

import math
import random

import pytest

from b2bua.self_test.tones import CODECS, find_keys, make_tone

QUIET = [0] * 800


@pytest.mark.parametrize("kind", CODECS)
def test_every_key_is_found_after_coding(kind: int) -> None:
    codec = CODECS[kind]
    samples = [*QUIET]
    for key in "1234567890*#ABCD":
        samples += make_tone(key, 480) + QUIET
    assert find_keys(codec.decode(codec.encode(samples))) == "1234567890*#ABCD"


@pytest.mark.parametrize("level", [1.0, 0.1, 0.02])
def test_a_quiet_key_is_found_too(level: float) -> None:
    assert find_keys([*QUIET, *(int(each * level) for each in make_tone("5", 800)), *QUIET]) == "5"


def test_the_same_key_twice_is_two() -> None:
    assert find_keys([*make_tone("7", 800), *QUIET, *make_tone("7", 800)]) == "77"


def test_noise_and_single_tones_are_no_keys() -> None:
    source = random.Random(1)
    assert find_keys([source.randint(-8000, 8000) for _ in range(80_000)]) == ""
    for frequency in (697, 1000, 1209, 440):
        tone = [int(9000 * math.sin(2 * math.pi * frequency * at / 8000)) for at in range(8000)]
        assert find_keys(tone) == ""
    assert find_keys(QUIET) == ""


@pytest.mark.parametrize("kind", CODECS)
def test_an_octet_keeps_its_level(kind: int) -> None:
    codec = CODECS[kind]
    levels = codec.decode(bytes(range(256)))
    assert codec.decode(codec.encode(levels)) == levels
    assert max(levels) == -min(levels) > 30_000
