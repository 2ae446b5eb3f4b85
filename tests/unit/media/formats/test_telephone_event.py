"""The telephone-event payload."""

from __future__ import annotations

import math
import random

import pytest

from media.formats import telephone_event
from media.formats.coding import Coding
from media.formats.g711 import encode
from media.formats.telephone_event import TelephoneEvent


def test_a_payload_parses_and_serialises_to_the_same_bytes():
    payload = bytes.fromhex("0b8a08c0")
    event = telephone_event.parse(payload)
    assert (event.code, event.end, event.volume, event.duration) == (11, True, 10, 0x08C0)
    assert telephone_event.serialise(event) == payload


@pytest.mark.parametrize(
    ("payload", "began"),
    [
        ("010a00a0", [0]),
        ("018a00a0 028a0320", [0, 160]),  # one on the end of the other
        ("018a00a0 028a0320 030a00a0", [0, 160, 960]),
        ("010affff 018a0320", [0, 65535]),  # a segment and the next
        ("010a00a0 028a0320", [0]),  # it goes on: what follows is no event
        ("018a00a0 00000000", [0]),  # filling
        ("018a00a0 028a00", [0]),
        ("018a00a0" * 9, [160 * number for number in range(9)]),
        ("018a00", []),
    ],
)
def test_events_in_one_payload_follow_one_on_the_other(payload, began):
    assert [at for at, _ in telephone_event.packed(bytes.fromhex(payload))] == began


def test_a_short_payload_is_no_event():
    assert telephone_event.parse(b"\x01\x0a\x00") is None


def test_sixteen_codes_are_keys_and_a_hook_flash_is_not():
    keys = [
        code
        for code in range(256)
        if telephone_event.is_key(TelephoneEvent(code=code, end=False, duration=0))
    ]
    assert keys == list(range(16))
    assert telephone_event.KEYS == b"0123456789*#ABCD"


def test_the_code_is_in_no_repr():
    assert "11" not in repr(TelephoneEvent(code=11, end=False, duration=0))


@pytest.mark.parametrize(
    ("payload", "could_be"),
    [("050a00a0", True), ("0f8a00a0", True), ("054a00a0", True), ("05ff00a0", True), ("100a00a0", False),
    ("", False),
     ("050a00", False), ("050a00a000", True), ("050a00a0 0f8a0320", True), ("050a00a0 108a0320", False),
     ("050a00a0 050a00", True), ("050a00a0 050b00", False), ("050a00a0" + "ff" * 156, True),
     ("050a00a0" + "d5" * 155, True),
     ("050a00a0" * 3 + "80" * 28 + "81", False), ("050a00a0" + "ff" * 155 + "fe", False),
     ("050a00a0" * 40, True),
     ("00" * 39, True), ("00" * 40, False), ("ff" * 160, False), ("d5" * 160, False), ("05" * 160, False),
     ("100a00a0 0f8a0320", False), ("050a00a0" * 8, True), ("050a00a0" * 7 + "ff0a00a0", False),
     ("050a00a0" * 9, True)],
)  # fmt: skip
def test_an_audio_payload_that_could_be_keys_is_recognised(payload, could_be):
    assert telephone_event.looks_like_event(bytes.fromhex(payload)) is could_be


def test_voice_is_hardly_ever_taken_for_keys():
    """Short frames by chance, once in 16**n for n blocks; what is longer, never, loud as it may
    be."""
    chance = random.Random(4733)
    assert not any(
        telephone_event.looks_like_event(chance.randbytes(size)) for size in (20, 24, 32) for _ in range(5000)
    )
    assert not any(
        telephone_event.looks_like_event(bytes(chance.choices((0, 5, 15, 16, 128, 143), k=size)))
        for size in (80, 160, 320)
        for _ in range(2000)
    )


@pytest.mark.parametrize("law", [Coding.MU, Coding.A])
@pytest.mark.parametrize("peak", [32767, 16000, 4000])
def test_loud_tones_and_clipped_ones_are_not_taken_for_keys(law, peak):
    for hz in (100, 333, 440, 697, 1000, 1633, 3000):
        for phase in range(8):
            wave = [2 * peak * math.sin(2 * math.pi * hz * (at + phase) / 8000) for at in range(1600)]
            codes = bytes(encode(law, max(-peak, min(peak, int(sample)))) for sample in wave)
            frames = [codes[at : at + size] for size in (40, 80, 160) for at in range(0, 1440, size)]
            assert not any(map(telephone_event.looks_like_event, frames))
