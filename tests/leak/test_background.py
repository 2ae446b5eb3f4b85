"""What fills the place of a key: as loud as the line was before it, whatever the codec, and never
louder than a quiet line."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.leak.codec import G722, PACKET, PCMA, PCMU, PEAK_0DBM0, dbm0, decoded, encoded
from tests.leak.core import Masked
from tests.leak.core_masked import EVENT, paced, through
from tests.leak.decoders import RATE
from tests.leak.timeline import Packet, parse

BEFORE, LASTS = 100, 30  # packets of 20 ms before the event, and of the event


def levels(floor: float, payload_type: int) -> tuple[float, float]:
    """Of the background and of what fills a long event, in dBm0."""
    noise = np.random.default_rng(1).normal(0, PEAK_0DBM0 / np.sqrt(2) * 10 ** (floor / 20), 3 * RATE)
    packets = []
    for index, payload in enumerate(encoded(noise, payload_type)):
        within = index - BEFORE
        if 0 <= within < LASTS:
            event = struct.pack("!BBH", 5, 0x80 if within == LASTS - 1 else 0, (within + 1) * PACKET)
            packets.append(Packet(EVENT, index, BEFORE * PACKET, 7, event, within == 0))
        else:
            packets.append(Packet(payload_type, index, index * PACKET, 7, payload))
    left = [packet.payload for packet in map(parse, through(Masked, paced(packets))[0]) if packet is not None]
    heard = decoded(left, payload_type).astype(np.float64)
    # G.722 takes some packets to settle, at the beginning and after a change of loudness.
    spans = slice(10, BEFORE - 5), slice(BEFORE + 5, BEFORE + LASTS)
    before, filling = (
        dbm0(float((heard[span.start * PACKET : span.stop * PACKET] ** 2).mean())) for span in spans
    )
    return before, filling


@pytest.mark.parametrize("payload_type", [PCMU, PCMA, G722])
@pytest.mark.parametrize("floor", [-65.0, -60.0, -53.0])
def test_noise_in_place_of_an_event_is_as_loud_as_the_background(floor: float, payload_type: int) -> None:
    background, filling = levels(floor, payload_type)
    assert background == pytest.approx(floor, abs=2), "the control"
    assert -5 < filling - background < 3


@pytest.mark.parametrize("payload_type", [PCMU, PCMA, G722])
def test_noise_is_never_loud(payload_type: int) -> None:
    background, filling = levels(-35.0, payload_type)
    assert background > -37
    assert filling < -47
