"""A sender whose rtp_timestamps jump by more than the time that passed, behind an event: what is
filled is that time."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from media import _core
from media.codecs import DecodedCodec
from media.formats.coding import Coding
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.reference.masking import Mask

EVENT, G722, DECODED = 101, 9, 111


def reference() -> Mask:
    return Mask(frozenset({EVENT}), frozenset(), codings={G722: Coding.G722})


def core() -> _core.Mask:
    return _core.Mask(bytes([EVENT]), b"", g722=bytes([G722]))


@pytest.mark.parametrize("jump", [1600, 2560, 3016, 3336])
@pytest.mark.parametrize("make", [reference, core])
def test_no_more_is_filled_than_the_time_that_passed(
    make: Callable[[], Mask | _core.Mask], jump: int
) -> None:
    """An Asterisk that transcodes to G.722 sends the next audio 3,016 ticks behind an event's
    beginning, where 320 ms passed."""
    mask, numbers, left = make(), itertools.count(), []
    mask.switch(True)

    def send(payload_type: int, rtp_timestamp: int, payload: bytes, now: int) -> int:
        mask.rtp(serialise(Rtp(payload_type, False, next(numbers), rtp_timestamp, Ssrc(1), payload)), now)
        new = [heard for heard in map(parse, mask.released()) if heard is not None]
        left.extend(new)
        return len(new)

    for number in range(10):
        send(G722, 160 * number, b"\xfa" * 160, 20 * number)
    for step in range(1, 13):
        payload = bytes([5, 0x8A if step >= 10 else 0x0A]) + (160 * min(step, 10)).to_bytes(2, "big")
        send(EVENT, 1600, payload, 180 + 20 * step)
    at_once = [
        send(G722, 1600 + jump + 160 * number, b"\xfa" * 160, 480 + 20 * number) for number in range(12)
    ]
    left += [heard for heard in map(parse, mask.switch(False)) if heard is not None]
    assert max(at_once) <= 8
    filled = len(left) - 10 - 12
    assert filled * 20 <= 300 + 20
    steps = [
        (after.rtp_timestamp - before.rtp_timestamp, len(before.payload))
        for before, after in itertools.pairwise(left)
    ]
    assert sum(step != size for step, size in steps) == (jump > 2560), (
        "one jump of the clock is passed on, and no other"
    )
    assert [packet.sequence_number for packet in left] == list(range(len(left)))


def decoded_reference(codec: DecodedCodec) -> Mask:
    return Mask(frozenset({EVENT}), frozenset(), decoded={DECODED: codec})


def decoded_core(codec: DecodedCodec) -> _core.Mask:
    return _core.Mask(bytes([EVENT]), b"", decoded=bytes([DECODED, codec.number]))


@pytest.mark.parametrize("codec", list(DecodedCodec))
@pytest.mark.parametrize("jump_ms", [200, 320, 480, 960])
@pytest.mark.parametrize("make", [decoded_reference, decoded_core])
def test_no_more_is_filled_in_a_codec_that_is_decoded_elsewhere(
    make: Callable[[DecodedCodec], Mask | _core.Mask], jump_ms: int, codec: DecodedCodec
) -> None:
    mask, numbers, frame = make(codec), itertools.count(), codec.clock_rate // 50
    mask.switch(True)

    def send(payload_type: int, rtp_timestamp: int, payload: bytes, now: int) -> list[Rtp]:
        mask.rtp(serialise(Rtp(payload_type, False, next(numbers), rtp_timestamp, Ssrc(1), payload)), now)
        return [heard for heard in map(parse, mask.asked()) if heard is not None]

    left = [send(DECODED, frame * number, codec.payload.silence(frame), 20 * number) for number in range(10)]
    for step in range(1, 11):
        payload = bytes([5, 0x8A if step == 10 else 0x0A]) + (frame * step).to_bytes(2, "big")
        left.append(send(EVENT, 10 * frame, payload, 180 + 20 * step))
    jump = jump_ms * codec.clock_rate // 1000
    # 220 ms after the newest audio came.
    at_once = send(DECODED, 10 * frame + jump, codec.payload.silence(frame), 400)
    assert sum(len(each) for each in left) + len(at_once) - 11 <= 12, "220 ms, and a packet"
    assert at_once[-1].rtp_timestamp == 10 * frame + jump
    assert [packet.sequence_number for packet in itertools.chain(*left, at_once)] == list(
        range(sum(map(len, left)) + len(at_once))
    )
