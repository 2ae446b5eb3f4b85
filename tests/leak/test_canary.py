"""The canary in the core: it hears keys as people's phones would, and neither speech nor what the
mask lets pass."""

from __future__ import annotations

import random

import pytest

from media._core import Canary
from media.formats.coding import Coding
from media.formats.telephone_event import looks_like_event
from tests.leak.codec import G722, PCMA, PCMU, encoded
from tests.leak.core import Masked
from tests.leak.decoders import KEYS, RATE
from tests.leak.presses import dual_tone, recording, talking
from tests.leak.report import REQUIRED, SHOWN

CODINGS = {PCMU: Coding.MU, PCMA: Coding.A, G722: Coding.G722}


def sings(payloads: list[bytes], payload_type: int) -> bool:
    canary = Canary()
    heard = [canary.hears(payload, CODINGS[payload_type]) for payload in payloads]
    return True in heard


@pytest.mark.parametrize("digit", KEYS)
@pytest.mark.parametrize("levels", [(-3.0, -3.0), (-40.0, -40.0), (-10.0, -16.0), (-16.0, -10.0)])
@pytest.mark.parametrize("payload_type", [PCMA, PCMU, G722])
def test_a_clean_key_of_60_ms_is_heard(digit: str, levels: tuple[float, float], payload_type: int) -> None:
    assert sings(encoded(dual_tone(digit, RATE * 60 // 1000, levels), payload_type), payload_type)


@pytest.mark.parametrize("digit", KEYS)
def test_a_single_tone_is_no_key(digit: str) -> None:
    for levels in ((-10.0, -90.0), (-90.0, -10.0)):
        assert not sings(encoded(dual_tone(digit, RATE, levels), PCMA), PCMA)


@pytest.mark.parametrize("seed", [1, 2])
def test_speech_is_no_key(seed: int) -> None:
    assert not sings(talking(60, seed).payloads, PCMA)


@pytest.mark.parametrize("condition", [*REQUIRED, *SHOWN], ids=lambda condition: condition.name)
def test_it_is_silent_behind_the_mask(condition) -> None:  # type: ignore[no-untyped-def]
    keyed = recording(condition, 30, 3)
    assert sings(keyed.payloads, keyed.payload_type)
    assert not sings(Masked().through(keyed.payloads, payload_type=keyed.payload_type), keyed.payload_type)


@pytest.mark.parametrize("size", [4, 5, 7, 8, 32, 33, 36, 40, 80, 160, 161])
@pytest.mark.parametrize("filling", [b"\x05\x0a\x00\xa0", b"\0", b"\xff", b"\xd5"])
def test_it_sees_an_event_whatever_fills_its_packet(size: int, filling: bytes) -> None:
    assert Canary().sees((b"\x05\x0a\x00\xa0" + filling * size)[:size])


@pytest.mark.parametrize("level", [-26.0, -6.0, 20.0])
@pytest.mark.parametrize("payload_type", [PCMA, PCMU, G722])
def test_it_sees_no_event_in_speech_nor_in_a_line_at_rest(payload_type: int, level: float) -> None:
    """Loud and clipped too, in frames of 5 to 30 ms. Nor does the mask."""
    codes = b"".join(talking(20, 1, level=level, payload_type=payload_type).payloads)
    for size in (40, 80, 160, 240):
        frames = [codes[at : at + size] for at in range(0, len(codes) - size + 1, size)]
        assert not any(Canary().sees(frame) or looks_like_event(frame) for frame in frames)
    assert not any(Canary().sees(bytes([code]) * 160) for code in range(256))


def test_it_sees_no_event_where_the_mask_sees_none() -> None:
    """It ends a call's audio: by chance, of short frames and loud ones, it must not."""
    chance, seen = random.Random(7), 0
    for _ in range(50_000):
        size = chance.choice([4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 33, 40, 44])
        payload = bytes(chance.choices((0, 5, 15, 16, 255), k=size))
        if chance.random() < 0.5:
            events = bytes((chance.randrange(17), 10, 0, 160)) * chance.randrange(1, 12)
            bent = bytearray((events + bytes([chance.choice((0, 5, 255))]) * 44)[:size])
            bent[chance.randrange(size)] = chance.choice((bent[0], chance.randrange(256)))
            payload = bytes(bent)
        seen += Canary().sees(payload)
        assert looks_like_event(payload) or not Canary().sees(payload)
    assert seen > 10_000
