"""The telephone-event payload."""

from __future__ import annotations

import random

import pytest

from media import telephone_event
from media.telephone_event import TelephoneEvent


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
        ("018a00a0" * 9, [160 * number for number in range(8)]),
        ("018a00", []),
    ],
)
def test_events_in_one_payload_follow_one_on_the_other(payload, began):
    assert [at for at, _ in telephone_event.packed(bytes.fromhex(payload))] == began


def test_a_short_payload_is_no_event():
    assert telephone_event.parse(b"\x01\x0a\x00") is None


def test_sixteen_codes_are_keys_and_a_hook_flash_is_not():
    keys = [code for code in range(256) if telephone_event.is_key(TelephoneEvent(code=code, end=False, duration=0))]
    assert keys == list(range(16))
    assert telephone_event.KEYS == b"0123456789*#ABCD"


def test_the_code_is_in_no_repr():
    assert "11" not in repr(TelephoneEvent(code=11, end=False, duration=0))


@pytest.mark.parametrize(
    ("payload", "could_be"),
    [("050a00a0", True), ("0f8a00a0", True), ("054a00a0", True), ("05ff00a0", True), ("100a00a0", False), ("", False),
     ("050a00", False), ("050a00a000", False), ("050a00a0 0f8a0320", True), ("050a00a0 108a0320", False),
     ("100a00a0 0f8a0320", False), ("050a00a0" * 8, True), ("050a00a0" * 7 + "ff0a00a0", False), ("050a00a0" * 9, False)],
)  # fmt: skip
def test_an_audio_payload_that_could_be_keys_is_recognised(payload, could_be):
    assert telephone_event.looks_like_event(bytes.fromhex(payload)) is could_be


def test_voice_is_hardly_ever_taken_for_keys():
    """Short frames by chance, once in 16**n for n blocks; what is longer than an event, never."""
    chance = random.Random(4733)
    assert not any(
        telephone_event.looks_like_event(chance.randbytes(size)) for size in (20, 24, 32) for _ in range(5000)
    )
    assert not any(telephone_event.looks_like_event(bytes(size)) for size in (1, 2, 10, 33, 36, 80, 160, 320))
