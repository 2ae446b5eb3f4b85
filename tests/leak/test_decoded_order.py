"""Codecs that the core does not know: packets out of order, twice, of two senders at once.

A phone sorts them and plays each SSRC by itself: one decoder that heard them as they came would
hear none of its keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from media.codecs import DecodedCodec
from media.mask_policy import MaskPolicy
from tests.leak import phones
from tests.leak.decoded_line import HOST, SSRC, STREAM, Line, keyed, until
from tests.leak.decoders import union
from tests.leak.timeline import Packet

_OTHER = SSRC + 1
CODECS = [DecodedCodec.G729, DecodedCodec.GSM, DecodedCodec.AMR, DecodedCodec.AMR_WB, DecodedCodec.OPUS]
KEYED = "1470369258*#"


def _swapped(count: int) -> list[int]:
    return [at ^ 1 for at in range(count - count % 2)]


def _reversed_by_four(count: int) -> list[int]:
    return [at ^ 3 for at in range(count - count % 4)]


def _doubled(count: int) -> list[int]:
    return [at // 2 for at in range(2 * count)]


def _repeated_later(count: int) -> list[int]:
    return [one for at in range(count) for one in (at, max(at - 3, 0))]


def _heard(line: Line, sent: list[tuple[int, int, bytes]], codec: DecodedCodec) -> list[str]:
    """What decoders read of the agent's side, sorted as a phone does; `sent`: SSRC, number and
    payload."""
    ticks = phones.TICKS.get(codec, 160)
    for count, (ssrc, number, payload) in enumerate(sent, 1):
        packet = Packet(phones.payload_type(codec), number, number * ticks, ssrc, payload)
        line.customer.sendto(bytes(packet), (HOST, line.port))
        until(partial(line.settled, count))
    until(partial(line.settled, len(sent), 0))
    left = {packet.sequence: packet.payload for packet in line.left if packet.ssrc == SSRC}
    assert len(left) > 30
    return [
        one.digit
        for all_ in union(phones.heard([left[at] for at in sorted(left)], codec)).values()
        for one in all_
    ]


@pytest.mark.parametrize(
    "order", [_swapped, _reversed_by_four, _doubled, _repeated_later], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_keys_in_packets_out_of_order_are_not_heard(
    line: Line, codec: DecodedCodec, order: Callable[[int], list[int]]
) -> None:
    payloads = phones.sent(keyed(KEYED)[0], codec)
    line.start_decoder()
    line.relay.set_mask(STREAM, True, MaskPolicy.MASK.number)
    assert _heard(line, [(SSRC, at, payloads[at]) for at in order(len(payloads))], codec) == []


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_keys_beside_another_sender_are_not_heard(line: Line, codec: DecodedCodec) -> None:
    audio = keyed(KEYED)[0]
    payloads = phones.sent(audio, codec)
    noise = phones.sent(np.random.default_rng(1).normal(0, 60, len(audio)), codec)
    line.start_decoder()
    line.relay.set_mask(STREAM, True, MaskPolicy.MASK.number)
    both = [
        (ssrc, at, sent[at])
        for at in range(min(len(payloads), len(noise)))
        for ssrc, sent in ((SSRC, payloads), (_OTHER, noise))
    ]
    assert _heard(line, both, codec) == []
