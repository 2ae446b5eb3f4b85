"""Gaps of events in codecs that the core does not know: core and reference fill them alike, and
nothing is missing afterwards."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import _core
from media.codecs import DecodedCodec
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.formats.telephone_event import looks_like_event
from media.reference.masking import Mask
from media.reference.reassembly import LOST

EVENT, OTHER = 101, 99
codecs = pytest.mark.parametrize("codec", list(DecodedCodec), ids=lambda codec: codec.name)
TYPES = {110 + at: codec for at, codec in enumerate(DecodedCodec)}


def pair() -> tuple[Mask, _core.Mask]:
    decoded = bytes(byte for number, codec in TYPES.items() for byte in (number, codec.number))
    return Mask(frozenset({EVENT}), frozenset({OTHER}), decoded=TYPES), _core.Mask(
        bytes([EVENT]), bytes([OTHER]), decoded=decoded
    )


def typed(codec: DecodedCodec) -> int:
    return next(number for number, each in TYPES.items() if each is codec)


@codecs
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_core_and_reference_read_the_same_lengths_of_anything(codec, seed):
    chance = random.Random(seed)
    for now in range(40):
        reference, core = pair()
        core.switch(True)
        reference.switch(True)
        payload = chance.randbytes(chance.choice([1, 2, 3, 10, 21, 33, 41, 66, 300]))
        if looks_like_event(payload):
            continue
        packet = serialise(Rtp(typed(codec), False, 5, 960, Ssrc(5), payload))
        assert (core.rtp(packet, now), reference.rtp(packet, now)) == ((None, b""), (None, ()))
        assert core.asked() == reference.asked() == ([packet] if codec.payload.duration(payload) else [])


@codecs
@settings(deadline=None)
@given(frames=st.integers(1, 48), rest=st.integers(0, 79))
def test_silence_lasts_as_long_as_it_was_asked_to(codec, frames, rest):
    frames = frames if codec in (DecodedCodec.OPUS, DecodedCodec.G729, DecodedCodec.GSM) else min(frames, 32)
    assert (
        codec.payload.duration(codec.payload.silence(frames * codec.payload.unit + rest))
        == frames * codec.payload.unit
    )
    assert codec.payload.silence(rest) == b""


class Caller:
    """Says nothing that matters in packets of one length, presses keys, and does now and then what
    it should not."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.codec = self.chance.choice(list(DecodedCodec))
        self.sequence, self.at, self.now = 65530, 2**32 - 4000, 0
        self.length = self.codec.payload.unit * self.chance.choice([1, 1, 2, 3, 8])
        self.event_at = self.duration = self.code = 0

    def packet(self) -> bytes:
        chance = self.chance
        self.now += chance.choice([20] * 8 + [1, 130])
        self.sequence += chance.choice([1] * 40 + [2, 0, -1])
        if self.duration or chance.random() < 0.1:
            return self.event()
        self.at += chance.choice([0] * 40 + [self.length, -self.length, 130, 60_000, -60_000])
        codec = self.codec if chance.random() > 0.02 else chance.choice(list(DecodedCodec))
        payload = codec.payload.silence(self.length) if chance.random() > 0.02 else chance.randbytes(7)
        packet = self.rtp(typed(codec) if chance.random() > 0.02 else OTHER, self.at, payload)
        self.at += self.length
        return packet

    def event(self) -> bytes:
        if not self.duration:
            self.event_at, self.code = self.at, self.chance.randrange(17)
        self.duration += self.chance.choice([160, 400, 960])
        end = self.duration > 3000
        payload = bytes([self.code, 0x8A if end else 0x0A]) + self.duration.to_bytes(2, "big")
        if end:
            self.at, self.duration = self.event_at + self.duration, 0
        return self.rtp(EVENT, self.event_at, payload)

    def rtp(self, payload_type: int, at: int, payload: bytes) -> bytes:
        ssrc = Ssrc(7 if self.chance.random() > 0.02 else 8)
        return serialise(Rtp(payload_type, False, self.sequence % 0x10000, at % 2**32, ssrc, payload))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_core_and_reference_fill_the_same_gaps(seed):
    reference, core = pair()
    caller, asked = Caller(seed), 0
    core.switch(True)
    reference.switch(True)
    on = True
    for _ in range(120):
        packet, now = caller.packet(), caller.now
        out, keyed = reference.rtp(packet, now)
        if any(each.code == LOST for each in keyed):
            return  # of one that is lost the core says no more
        assert core.rtp(packet, now) == (out, bytes(each.code for each in keyed))
        waiting = reference.asked()
        assert core.asked() == waiting
        asked += len(waiting)
        if not on or caller.chance.random() < 0.02:
            on = not on or caller.chance.random() < 0.8
            assert core.switch(on) == reference.switch(on) == []
    assert asked > 0


@codecs
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_numbers_and_time_go_on_where_events_were(codec, seed):
    _, core = pair()
    core.switch(True)
    chance = random.Random(seed)
    length = codec.payload.unit * chance.choice([1, 2, 3])
    speech = codec.payload.silence(length)
    sequence, at, now = chance.randrange(0x10000), chance.randrange(2**32), 0
    left: list[Rtp] = []

    def send(payload_type: int, rtp_timestamp: int, payload: bytes) -> None:
        nonlocal sequence, now
        core.rtp(
            serialise(Rtp(payload_type, False, sequence % 0x10000, rtp_timestamp % 2**32, Ssrc(5), payload)),
            now,
        )
        left.extend(heard for heard in map(parse, core.asked()) if heard)
        sequence, now = sequence + 1, now + 20

    for _ in range(6):
        for _ in range(chance.randrange(2, 9)):
            send(typed(codec), at, speech)
            at += length
        packets, stretch, code = chance.randrange(3, 10), codec.clock_rate // 50, chance.randrange(16)
        for index in range(packets + 2):
            duration = stretch * min(index + 1, packets)
            end = 0x8A if index >= packets - 1 else 0x0A
            send(EVENT, at, bytes([code, end]) + duration.to_bytes(2, "big"))
        at += stretch * packets + codec.payload.unit * chance.randrange(4)
        at = at + -stretch * packets % codec.payload.unit  # no frame is shorter
    send(typed(codec), at, speech)
    assert all(heard.payload_type == typed(codec) for heard in left)
    for before, after in pairwise(left):
        assert (after.sequence_number - before.sequence_number) % 0x10000 == 1
        assert (after.rtp_timestamp - before.rtp_timestamp) % 2**32 == codec.payload.duration(before.payload)
