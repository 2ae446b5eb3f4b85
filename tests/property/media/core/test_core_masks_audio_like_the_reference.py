"""The core and its reference hold, look into and shut audio alike: byte by byte, whatever tone and
packet sizes come."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import _core
from media.formats.coding import Coding
from media.formats.g711 import decode_sample, encode
from media.formats.g722 import STEPS, Lower
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.mask_policy import MaskPolicy
from media.reference.audio_hold import MaskOptions
from media.reference.inband import FREQUENCIES
from media.reference.masking import Mask
from media.reference.reassembly import LOST

MU, A, G722, EVENT, VIDEO, OPUS = 0, 8, 9, 101, 99, 111
CODINGS = {MU: Coding.MU, A: Coding.A, G722: Coding.G722}


def pair() -> tuple[Mask, _core.Mask]:
    reference = Mask(frozenset({EVENT}), frozenset({VIDEO}), codings=CODINGS, opaque=frozenset({OPUS}))
    types = {"mu": bytes([MU]), "a": bytes([A]), "opaque": bytes([OPUS]), "g722": bytes([G722])}
    return reference, _core.Mask(bytes([EVENT]), bytes([VIDEO]), **types)


def test_both_laws_are_decoded_and_encoded_as_g711_says():
    for law in (Coding.MU, Coding.A):
        for code in range(256):
            sample = decode_sample(law, code)
            assert decode_sample(law, encode(law, sample)) == sample
    assert decode_sample(Coding.MU, 0x80) == 32124
    assert decode_sample(Coding.A, 0xAA) == 32256
    assert [decode_sample(Coding.MU, 0xFF), abs(decode_sample(Coding.A, 0xD5))] == [0, 8]


def in_lower_band(lower: Lower, sample: int) -> int:
    """The byte of G.722 that comes nearest, where `lower` has heard those before."""
    wanted = ((sample // 2 - lower._expected) << 15) // lower._scale
    code = min(range(4, 64), key=lambda code: abs(STEPS[code] - wanted))
    lower.decode_code(code)
    return 0xC0 | code


class Caller:
    """Speaks (noise with a tone of its own), presses keys, sends events, and does now and then what
    a rule is about."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now_ms, self.sequence, self.at = 0, 65530, 2**32 - 4000
        self.law = self.chance.choice([MU, A, G722])
        self.lower = Lower()
        self.size = self.chance.choice([160, 160, 160, 80, 240, 100, 57])
        self.level = self.chance.choice([0, 30, 3000])
        self.key: tuple[int, int, float] | None = None
        self.event_at = self.duration = self.pressed_code = 0

    def sample(self, n: int) -> int:
        value = self.chance.gauss(0, self.level)
        if self.key is not None:
            low, high, size = self.key
            value += size * (math.sin(2 * math.pi * low * n / 8000) + math.sin(2 * math.pi * high * n / 8000))
        return round(max(-32000, min(32000, value)))

    def packet(self) -> bytes:
        chance = self.chance
        self.now_ms += chance.choice([20] * 8 + [1, 130])
        self.sequence += chance.choice([1] * 40 + [2, 0, -1])
        if chance.random() < 0.12:
            self.key = None if self.key else (*self.pressed(), chance.choice([200.0, 2000.0, 9000.0]))
        if self.duration or chance.random() < 0.03:
            return self.event()
        self.at += chance.choice([0] * 40 + [self.size, -self.size, 400, 9000, -9000])
        law = self.law if chance.random() > 0.01 else chance.choice([MU, A, G722, OPUS, VIDEO, 77])
        codes = bytes(
            self.code(CODINGS.get(law, Coding.MU), self.sample(self.at + n)) for n in range(self.size)
        )
        packet = self.rtp(law, self.at, codes)
        self.at += self.size
        return packet

    def code(self, coding: Coding, sample: int) -> int:
        return in_lower_band(self.lower, sample) if coding is Coding.G722 else encode(coding, sample)

    def pressed(self) -> tuple[int, int]:
        low, high = self.chance.choice(FREQUENCIES[:4]), self.chance.choice(FREQUENCIES[4:])
        return round(low * self.chance.uniform(0.97, 1.03)), round(high * self.chance.uniform(0.97, 1.03))

    def event(self) -> bytes:
        if not self.duration:
            self.event_at, self.pressed_code = self.at, self.chance.randrange(17)
        self.duration += 160
        end = self.duration > 800
        payload = bytes([self.pressed_code, 0x8A if end else 0x0A]) + self.duration.to_bytes(2, "big")
        if end:
            self.at, self.duration = self.event_at + self.duration, 0
        return self.rtp(EVENT, self.event_at, payload)

    def rtp(self, payload_type: int, at: int, payload: bytes) -> bytes:
        ssrc = Ssrc(7 if self.chance.random() > 0.01 else 8)
        return serialise(Rtp(payload_type, False, self.sequence % 0x10000, at % 2**32, ssrc, payload))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    manner=st.builds(
        MaskOptions, st.sampled_from(MaskPolicy), st.sampled_from([0, 24, 100]), st.booleans(), st.booleans()
    ),
)
def test_the_core_and_the_reference_let_the_same_bytes_go_and_hear_the_same_keys(seed, manner):
    reference, core = pair()
    caller, left = Caller(seed), 0
    asked = (manner.policy.number, manner.guard, manner.tones, manner.placeholder)
    assert core.switch(True, *asked) == reference.switch(True, manner) == []
    for _ in range(90):
        packet, now = caller.packet(), caller.now_ms
        out, keyed = reference.rtp(packet, now)
        if any(each.code == LOST for each in keyed):
            with pytest.raises(OverflowError):
                core.rtp(packet, now)
            continue
        assert core.rtp(packet, now) == (out, bytes(each.code for each in keyed))
        released = list(reference.released())
        assert core.released() == released
        waited = reference.idle(now + 60)
        assert core.idle(now + 60) == waited
        left += len(released) + len(waited)
        events, tones, both, _, talks = core.key_figures()
        assert (events, tones, both, talks) == reference.key_figures()
        for quiet_ms in (100, 1000):
            assert core.is_quiet(now, quiet_ms) == reference.is_quiet(now, quiet_ms)
        if caller.chance.random() < 0.02:
            assert core.switch(True, *asked) == reference.switch(True, manner)
    assert core.switch(False) == reference.switch(False)
    assert left > 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_numbers_follow_one_another_and_time_has_no_gap_where_events_were(seed):
    _, core = pair()
    core.switch(True)
    chance = random.Random(seed)
    sequence, at, now, left = chance.randrange(0x10000), chance.randrange(2**32), 0, []
    for _ in range(12):
        for _ in range(chance.randrange(2, 9)):
            left += send(
                core, Rtp(MU, False, sequence % 0x10000, at % 2**32, Ssrc(5), bytes([0xFF - 5] * 160)), now
            )
            sequence, at, now = sequence + 1, at + 160, now + 20
        packets, stretch, code = chance.randrange(3, 20), chance.choice([160, 240, 400]), chance.randrange(16)
        for index in range(packets + 2):
            duration = stretch * min(index + 1, packets)
            payload = bytes([code, 0x8A if index >= packets - 1 else 0x0A]) + duration.to_bytes(2, "big")
            left += send(core, Rtp(EVENT, index == 0, sequence % 0x10000, at % 2**32, Ssrc(5), payload), now)
            sequence, now = sequence + 1, now + 20
        more = chance.choice([0, 80, 160, 1000])
        at, now = at + stretch * packets + more, now + more // 8
    left += [heard for heard in map(parse, core.switch(False)) if heard]
    for before, after in pairwise(left):
        assert (after.sequence_number - before.sequence_number) % 0x10000 == 1
        assert (after.rtp_timestamp - before.rtp_timestamp) % 2**32 == len(before.payload)
        assert after.payload_type == MU


@settings(max_examples=120, deadline=None)
@given(
    size=st.one_of(st.sampled_from([480, 800, 960, 1280]), st.integers(1, 1280)),
    law=st.sampled_from([MU, A, G722]),
    before=st.integers(1, 4),
    event=st.integers(1, 40),
    behind=st.one_of(st.integers(0, 12_000), st.sampled_from([6000, 8000, 10_000])),
    seed=st.integers(0, 2**32),
)
def test_frames_up_to_the_longest_and_long_gaps_are_held_alike(size, law, before, event, behind, seed):
    reference, core = pair()
    core.switch(True)
    reference.switch(True)
    chance, at, number = random.Random(seed), 2**32 - 3 * size, 0

    def alike(payload_type: int, rtp_timestamp: int, payload: bytes) -> None:
        nonlocal number
        packet = serialise(Rtp(payload_type, False, number, rtp_timestamp % 2**32, Ssrc(7), payload))
        number += 1
        assert core.rtp(packet, 20 * number)[0] == reference.rtp(packet, 20 * number)[0]
        assert core.released() == list(reference.released())

    for _ in range(before):
        alike(law, at, chance.randbytes(size))
        at += size
    for part in range(1, event + 1):
        alike(EVENT, at, b"\x05" + bytes([0x8A if part == event else 0x0A]) + (160 * part).to_bytes(2, "big"))
    for _ in range(3):
        alike(law, at + behind, chance.randbytes(size))
        at += size
    assert core.switch(False) == reference.switch(False)


def send(core: _core.Mask, packet: Rtp, now: int) -> list[Rtp]:
    core.rtp(serialise(packet), now)
    return [heard for heard in map(parse, core.released()) if heard]


def test_what_nothing_follows_leaves_as_noise_where_it_was_not_looked_past():
    loud = bytes([encode(Coding.MU, 9000)]) * 160
    reference, core = pair()
    core.switch(True)
    reference.switch(True)
    packet = serialise(Rtp(MU, False, 1, 160, Ssrc(7), loud[:150]))
    assert core.rtp(packet, 0) == (None, b"")
    reference.rtp(packet, 0)
    assert core.idle(90) == []
    [left] = map(parse, core.idle(100))
    assert left is not None
    assert loud[0] not in left.payload, "less than 40 ms were heard after any of it"
    assert [serialise(left)] == reference.idle(100)
    assert core.switch(False) == []


def test_a_sender_whose_clock_begins_anew_is_heard_again():
    voice = bytes([encode(Coding.MU, 900)]) * 160
    _, core = pair()
    core.switch(True)
    left = []
    for index in range(10):
        at = 10_000_000 if index < 3 else 5000
        left += send(core, Rtp(MU, False, index, at + 160 * index, Ssrc(7), voice), 20 * index)
    assert [heard.sequence_number for heard in left] == list(range(8))
    assert all(heard.payload == voice for heard in left)


def test_an_event_shuts_even_what_no_block_was_made_of_yet():
    voice = bytes([encode(Coding.MU, 9000)]) * 150  # three blocks and three quarters
    _, core = pair()
    core.switch(True)
    send(core, Rtp(MU, False, 1, 160, Ssrc(7), voice), 0)
    send(core, Rtp(EVENT, True, 2, 310, Ssrc(7), b"\x05\x0a\x00\xa0"), 20)
    for left in map(parse, core.switch(False)):
        assert left is not None
        assert voice[0] not in left.payload
