"""The core and its reference decide alike, packet by packet, whatever comes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import _core
from media.formats.coding import Coding
from media.formats.rtp import Rtp, Ssrc, reception, serialise
from media.reference.masking import Mask
from media.reference.reassembly import KeyQueue
from media.reference.sequence import difference
from media.reference.sighted_events import Keyed

EVENTS, AUDIO, OPAQUE = frozenset({101, 96}), frozenset({13, 96}), frozenset({111})
RED = frozenset({121})
CODINGS = {0: Coding.MU, 8: Coding.A}


def codes(keyed: tuple[Keyed, ...]) -> bytes:
    return bytes(each.code for each in keyed)


def pair(*, are_types_known: bool = True, drops_events: bool = False) -> tuple[Mask, _core.Mask]:
    """The reference and the core, given the same."""
    if not are_types_known:
        return Mask(frozenset(), frozenset()), _core.Mask(b"", b"")
    core = _core.Mask(
        bytes(sorted(EVENTS)),
        bytes(sorted(AUDIO)),
        mu=b"\0",
        a=b"\x08",
        opaque=bytes(OPAQUE),
        red=bytes(RED),
        drops_events=drops_events,
    )
    return Mask(EVENTS, AUDIO, codings=CODINGS, opaque=OPAQUE, red=RED, drops_events=drops_events), core


# Few values, near each other and near every wrap point, so that packets meet.
near_wraps = st.one_of(
    st.integers(65500, 65600),
    st.integers(0, 200),
    st.integers(3000, 3100),
    st.sampled_from([7984, 7985, 32768, 40000]),
)
rtp_timestamps = st.builds(
    lambda base, step: (base + step) % 2**32,
    st.sampled_from([0, 160, 320, 2**32 - 160, 2**32 - 0xFFFF, 5000]),
    st.sampled_from([0, 0, 160, 0xF000, 0xFFFF, 2 * 0xFFFF, 17000]),
)
ssrcs = st.sampled_from([1, 1, 1, 2, 3, 4, 5, 6])
event_payloads = st.builds(
    lambda code, flags, duration, rest: bytes((code, flags)) + duration.to_bytes(2, "big") + rest,
    st.integers(0, 20),
    st.sampled_from([0x0A, 0x8A, 0x4A, 0xCA]),
    st.sampled_from([0, 160, 320, 0x08C0, 0xF000, 0xFFFF]),
    st.sampled_from([b"", b"", b"", b"\x05\x0a\x00\xa0", b"\x00"]),
)
# Several blocks, as redundancy has them; one that is none, or what is beside a multiple of four,
# makes it voice.
block_payloads = st.builds(
    lambda codes, flags, rest: (
        b"".join(bytes((code, flag, 0, 160)) for code, flag in zip(codes, flags, strict=True)) + rest
    ),
    st.shared(st.integers(1, 10), key="blocks").flatmap(
        lambda count: st.lists(
            st.sampled_from([*range(16), *range(16), 16, 255]), min_size=count, max_size=count
        )
    ),
    st.shared(st.integers(1, 10), key="blocks").flatmap(
        lambda count: st.lists(st.sampled_from([0x0A, 0x8A, 0x4A, 0xCA]), min_size=count, max_size=count)
    ),
    st.sampled_from([b"", b"", b"", b"\x05", b"\x05\x0a"]),
)
payload_types = st.sampled_from([101, 101, 96, 0, 0, 8, 13, 111, 72, 73, 100, 127])


def packets(types, payloads):
    return st.builds(
        lambda pt, marker, seq, ts, ssrc, payload: serialise(
            Rtp(
                payload_type=pt,
                marker=marker,
                sequence_number=seq % 0x10000,
                rtp_timestamp=ts,
                ssrc=Ssrc(ssrc),
                payload=payload,
            )
        ),
        types,
        st.booleans(),
        near_wraps,
        rtp_timestamps,
        ssrcs,
        payloads,
    )


plain = packets(payload_types, st.one_of(event_payloads, block_payloads, st.binary(max_size=12)))
short = st.one_of(event_payloads, block_payloads, st.binary(max_size=12), st.just(b"\x5a" * 160))


def redundant(older: list[tuple[int, int, bytes, int]], primary: tuple[int, bytes], cut: int) -> bytes:
    """A payload of RFC 2198: payload type, offset, payload and what its length says too much of
    each older block."""
    heads = b"".join(
        (1 << 31 | kind << 24 | offset << 10 | (len(payload) + wrong) % 1024).to_bytes(4, "big")
        for kind, offset, payload, wrong in older
    )
    whole = heads + bytes([primary[0]]) + b"".join(payload for _, _, payload, _ in older) + primary[1]
    return whole[: len(whole) - cut]


red = packets(
    st.just(121),
    st.builds(
        redundant,
        st.lists(
            st.tuples(
                st.sampled_from([101, 101, 101, 0, 121, 13]),
                st.sampled_from([0, 160, 320, 0x3FFF]),
                short,
                st.sampled_from([0, 0, 0, 0, 0, 1, -1]),
            ),
            max_size=9,
        ),
        st.tuples(st.sampled_from([101, 101, 0, 8, 13, 111, 121, 100, 229]), short),
        st.sampled_from([0, 0, 0, 0, 1, 5]),
    ),
)


@st.composite
def decorated(draw) -> bytes:
    """With CSRCs, extension and padding, their lengths right or wrong."""
    packet = bytearray(draw(plain))
    csrcs = draw(st.integers(0, 3))
    head, payload = packet[:12], packet[12:]
    head[0] |= draw(st.sampled_from([csrcs, csrcs, 15]))
    body = bytes(4 * csrcs)
    if draw(st.booleans()):
        head[0] |= 0x10
        words = draw(st.integers(0, 2))
        body += (
            b"\xbe\xde"
            + draw(st.sampled_from([words, words, 200])).to_bytes(2, "big")
            + b"\x10\x7f\0\0" * words
        )
    body += bytes(payload)
    if draw(st.booleans()):
        head[0] |= 0x20
        count = draw(st.integers(1, 4))
        body += bytes(count - 1) + bytes([draw(st.sampled_from([count, count, 0, 255]))])
    return bytes(head) + body


@st.composite
def cut(draw) -> bytes:
    packet = draw(plain)
    return packet[: draw(st.integers(0, len(packet)))]


rtcp_blocks = st.builds(
    lambda first, kind, words, body: bytes((first, kind)) + words.to_bytes(2, "big") + body,
    st.sampled_from([0x80, 0x81, 0x82, 0xA0, 0x40]),
    st.sampled_from([200, 201, 202, 203, 204, 205, 207, 191]),
    st.integers(0, 13),
    st.integers(0, 13).map(lambda words: bytes(4 * words)),
)
# Bytes after the first word, and bytes for each counted block.
FIXED = {200: 24, 201: 4, 202: 0, 203: 0}
COUNTED = {200: 24, 201: 24, 202: 8, 203: 4}


def well_sized(kind: int, count: int, extra: int) -> bytes:
    body = bytes(FIXED.get(kind, 4) + COUNTED.get(kind, 0) * count + extra)
    return bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body


well_sized_blocks = st.builds(
    well_sized, st.sampled_from([200, 201, 202, 203]), st.integers(0, 3), st.sampled_from([0, 0, 0, 0, 4])
)
reports = st.builds(well_sized, st.sampled_from([200, 201]), st.integers(0, 3), st.just(0))
rtcp = st.one_of(
    st.builds(
        lambda leading, rest: b"".join(leading + rest),
        st.lists(reports, min_size=1, max_size=2),
        st.lists(
            st.one_of(
                well_sized_blocks, st.builds(well_sized, st.integers(202, 223), st.integers(0, 3), st.just(8))
            )
        ),
    ),
    st.lists(well_sized_blocks, min_size=1, max_size=4).map(b"".join),
    st.lists(rtcp_blocks, max_size=3).map(b"".join),
    st.binary(max_size=40),
)

streams_of_reports = st.builds(
    lambda kind, sender, blocks: (
        bytes((0x80 | len(blocks), kind))
        + (len(blocks) * 6 + (6 if kind == 200 else 1)).to_bytes(2, "big")
        + sender.to_bytes(4, "big")
        + bytes(range(20 if kind == 200 else 0))
        + b"".join(
            ssrc.to_bytes(4, "big") + b"\0\0\0\7" + highest.to_bytes(4, "big") + bytes(12)
            for ssrc, highest in blocks
        )
    ),
    st.sampled_from([200, 201]),
    ssrcs,
    st.lists(st.tuples(ssrcs, st.one_of(near_wraps, st.integers(0, 2**32 - 1))), max_size=3),
)
rtcp = st.one_of(rtcp, st.lists(streams_of_reports, min_size=1, max_size=2).map(b"".join))

steps = st.lists(
    st.one_of(
        st.tuples(st.just("rtp"), plain),
        st.tuples(st.just("rtp"), red),
        st.tuples(st.just("rtcp back"), rtcp),
        st.tuples(st.just("rtp"), st.one_of(decorated(), cut(), st.binary(max_size=40))),
        st.tuples(st.just("rtcp"), rtcp),
        st.tuples(st.just("mask"), st.booleans()),
        st.tuples(st.just("pass"), st.sampled_from([1, 20, 99, 100, 249, 250, 251, 2000])),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(
    steps=steps,
    are_types_known=st.sampled_from([True, True, True, False]),
    drops_events=st.booleans(),
    slow=st.booleans(),
)
def test_the_core_and_the_reference_decide_alike(steps, are_types_known, drops_events, slow):
    keys = KeyQueue(slow=slow)
    reference, core = pair(are_types_known=are_types_known, drops_events=drops_events)
    core.slow(slow)
    now = 10_000
    for kind, value in steps:
        if kind == "rtp":
            out, keyed = reference.rtp(value, now)
            if not all(keys.put(each.code, each.ssrc, each.rtp_timestamp, now) for each in keyed):
                with pytest.raises(OverflowError):
                    core.rtp(value, now)
                continue
            assert core.rtp(value, now) == (out, codes(keyed))
            assert core.released() == list(reference.released())
        elif kind == "rtcp back":
            assert core.rtcp_back(value) == reference.rtcp_back(value)
        elif kind == "rtcp":
            assert core.rtcp(value) == reference.rtcp(value)
        elif kind == "mask":
            assert core.switch(value) == reference.switch(value)
        else:
            now += value
            assert core.idle(now) == reference.idle(now)
            assert core.take_ripe(now) == keys.take_ripe(now)
        assert core.key_figures() == figures(reference, keys)


@settings(max_examples=400, deadline=None)
@given(packets=st.lists(red, min_size=1, max_size=8), masked=st.lists(st.booleans(), min_size=8, max_size=8))
def test_the_core_and_the_reference_open_redundancy_alike(packets, masked):
    reference, core = pair()
    for step, (packet, on) in enumerate(zip(packets, masked, strict=False)):
        if on is not reference.on:
            assert core.switch(on) == reference.switch(on)
        out, keyed = reference.rtp(packet, 400 * step)
        try:
            assert core.rtp(packet, 400 * step) == (out, codes(keyed))
        except OverflowError:
            return
        left = [*core.released(), *([out] if out else [])]
        assert [*reference.released(), *([out] if out else [])] == left
        assert not on or all(each[1] & 0x7F not in EVENTS | RED for each in left)
        core.take_ripe(400 * step + 100)


@settings(max_examples=300, deadline=None)
@given(
    payload=st.one_of(block_payloads, event_payloads, st.binary(max_size=40)),
    payload_type=st.sampled_from([13]),
)
def test_under_the_mask_both_withhold_what_is_shaped_like_events_from_an_audio_type_and_nothing_else(
    payload, payload_type
):
    packet = serialise(Rtp(payload_type, False, 1, 160, Ssrc(1), payload))
    reference, core = pair()
    core.switch(True)
    reference.switch(True)
    shaped = len(payload) >= 4 and payload[0] <= 15 and (len(payload) < 40 or len(set(payload)) > 1)
    for at in range(4, len(payload), 4):
        rest = payload[at:]
        if rest[0] > 15 or (len(rest) < 4 and rest != payload[: len(rest)]):
            shaped = shaped and len(set(rest)) == 1
            break
    leaves = None if shaped else packet
    assert core.rtp(packet, 0) == (leaves, b"")
    assert reference.rtp(packet, 0) == (leaves, ())


@settings(max_examples=400, deadline=None)
@given(compound=rtcp)
def test_the_core_and_the_reference_agree_on_rtcp_under_the_mask(compound):
    core = _core.Mask(bytes(sorted(EVENTS)), bytes(sorted(AUDIO)))
    core.switch(True)
    assert core.rtcp(compound) == Mask(EVENTS, AUDIO, on=True).rtcp(compound)


@settings(max_examples=400, deadline=None)
@given(compound=rtcp, filling=st.binary(min_size=1, max_size=64))
def test_the_core_and_the_reference_read_the_same_of_report_blocks(compound, filling):
    """Zeros in the generated blocks are filled, so that lost and jitter differ from nothing."""
    filled = bytearray(compound)
    at = 0
    while len(filled) - at >= 8:
        size = 4 + 4 * int.from_bytes(filled[at + 2 : at + 4], "big")
        for index in range(at + 8, min(at + size, len(filled))):
            filled[index] = filling[index % len(filling)]
        at += size
    read = reception(bytes(filled))
    assert _core.Mask(b"", b"").reception(bytes(filled)) == (
        None if read is None else (read.lost, read.jitter)
    )


class Wanderer:
    """A sender that mostly goes on from its last packet, and now and then does what a rule is
    about."""

    def __init__(self, seed: int, origin: int) -> None:
        self.chance = random.Random(seed)
        self.sequence = [origin + 7 * ssrc for ssrc in range(2)]
        self.rtp_timestamp = [2**32 - 0x8000, 160]
        self.duration = 160

    def packet(self) -> bytes:
        chance = self.chance
        who = chance.random() < 0.2
        self.sequence[who] += chance.choice(
            [1] * 12 + [0, 0, 2, 5, -1, -2, -5, -20, -31, -32, -60, -61, -62, -63, -64, -65, 63, 64, 65]
            + [2999, 3000, 3001, 3040, -3000, -3001, 32767, 32768, -8]
        )  # fmt: skip
        self.rtp_timestamp[who] += chance.choice(
            [0] * 12 + [160, 160, -160, self.duration, 0xF000, 0xEFFF, 0xFFFF, 0xFFFF, -0xFFFF]
            + [15999, 16000, 16001, -16000, -16001]
        )  # fmt: skip
        self.duration = chance.choice(
            [self.duration] * 3
            + [self.duration + 160] * 6
            + [160, 0, 0xEFFF, 0xF000, 0xFFFF, self.duration - 1]
        )
        self.duration = min(max(self.duration, 0), 0xFFFF)
        flags = 0x0A | chance.choice([0, 0, 0, 0x80]) | chance.choice([0] * 8 + [0x40])
        event = bytes((chance.randrange(17), flags)) + self.duration.to_bytes(2, "big")
        event *= chance.choice([1] * 6 + [2, 3, 8, 9])
        return serialise(
            Rtp(
                payload_type=chance.choice([101] * 6 + [0] * 6 + [96, 97, 72]),
                marker=chance.random() < 0.15,
                sequence_number=self.sequence[who] % 0x10000,
                rtp_timestamp=self.rtp_timestamp[who] % 2**32,
                ssrc=Ssrc(1 + who),
                payload=event if chance.random() < 0.7 else b"voice" * 8,
            )
        )

    def pause_ms(self) -> int:
        return self.chance.choice([0, 0, 0, 1, 10, 20, 20, 99, 100, 101, 249, 250, 251, 252])


def figures(reference, keys):
    *came, talks = reference.key_figures()
    return (*came, keys.doubled.found, talks)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), origin=near_wraps)
def test_the_core_and_the_reference_decide_alike_along_a_sender_s_way(seed, origin):
    sender = Wanderer(seed, origin)
    keys = KeyQueue(slow=seed % 2 == 0)
    reference, core = pair()
    core.slow(keys.slow)
    now = 0
    for _ in range(300):
        now += sender.pause_ms()
        if sender.chance.random() < 0.05:
            on = not reference.on
            assert core.switch(on) == reference.switch(on)
        packet = sender.packet()
        out, keyed = reference.rtp(packet, now)
        if all(keys.put(each.code, each.ssrc, each.rtp_timestamp, now) for each in keyed):
            assert core.rtp(packet, now) == (out, codes(keyed))
        else:
            with pytest.raises(OverflowError):
                core.rtp(packet, now)
        assert core.released() == list(reference.released())
        if sender.chance.random() < 0.3:
            assert core.take_ripe(now) == keys.take_ripe(now)
        assert core.key_figures() == figures(reference, keys)


@settings(max_examples=100, deadline=None)
@given(
    origin=near_wraps,
    order=st.lists(st.integers(0, 120), min_size=5, max_size=80),
    withheld=st.sets(st.integers(0, 120)),
)
def test_no_number_leaves_twice_for_two_packets_and_late_audio_keeps_its_place(origin, order, withheld):
    reference = Mask(EVENTS, AUDIO | {0}, on=True)
    left: dict[int, int] = {}
    highest = order[0]
    for index in order:
        if index < highest - 60:
            continue
        highest = max(highest, index)
        packet = serialise(
            Rtp(
                payload_type=101 if index in withheld else 0,
                marker=False,
                sequence_number=(origin + index) % 0x10000,
                rtp_timestamp=index * 160,
                ssrc=Ssrc(9),
                payload=b"\x01\x0a\x00\xa0" if index in withheld else b"voice",
            )
        )
        out, _ = reference.rtp(packet, index * 20)
        if out is not None:
            number = int.from_bytes(out[2:4], "big")
            assert left.setdefault(number, index) == index
    by_place = sorted(left, key=lambda number: difference(number, origin % 0x10000))
    assert [left[number] for number in by_place] == sorted(left.values())
