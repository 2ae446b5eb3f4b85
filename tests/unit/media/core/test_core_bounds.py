"""What the core writes fits where it writes it, however large the packets are that come."""

from __future__ import annotations

import random

import pytest

from media import _core
from media.codecs import DecodedCodec
from media.formats.coding import Coding
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.reference.gap_fill import MAX_PAYLOAD
from media.reference.masking import Mask
from tests.unit.media.core.relay_rig import Rig, everything, received, until

EVENT, AUDIO, TYPE = 101, 0, 110
MAX_READ = 2048  # bytes that the relay reads of one datagram
SECOND_OF_GSM = 12 + 50 * 33  # bytes; no longer gap is filled
MAX_WAITING = MAX_PAYLOAD + 12  # bytes of a packet that may wait for the decoder process
CODECS = pytest.mark.parametrize("codec", list(DecodedCodec), ids=lambda codec: codec.name)


def rtp(payload_type: int, sequence_number: int, rtp_timestamp: int, payload: bytes) -> bytes:
    return serialise(Rtp(payload_type, False, sequence_number, rtp_timestamp, Ssrc(5), payload))


def largest(codec: DecodedCodec, room: int) -> bytes:
    """Silence of as many frames as a packet of `room` bytes, and the codec, have."""
    frames = 32 if codec is not DecodedCodec.OPUS else 48
    if codec in (DecodedCodec.G729, DecodedCodec.GSM):
        frames = (room - 12) // len(codec.payload.silence(codec.payload.unit))
    return codec.payload.silence(frames * codec.payload.unit)


def attack(codec: DecodedCodec, room: int) -> list[bytes]:
    """A long packet, an event behind it, and audio behind that: what is between is filled, in steps
    as long as the first."""
    payload = largest(codec, room)
    step = codec.payload.duration(payload)
    return [
        rtp(TYPE, 1, 0, payload),
        rtp(EVENT, 2, step, b"\x05\x8a\x06\x40"),
        rtp(TYPE, 3, 2 * step, payload),
    ]


@pytest.mark.parametrize("room", [MAX_WAITING, MAX_WAITING + 40, SECOND_OF_GSM, MAX_READ])
@CODECS
def test_what_is_longer_than_may_wait_does_not_leave_and_fills_no_gap(codec: DecodedCodec, room: int) -> None:
    core = _core.Mask(bytes([EVENT]), b"", decoded=bytes([TYPE, codec.number]))
    reference = Mask(frozenset({EVENT}), frozenset(), decoded={TYPE: codec})
    core.switch(True)
    reference.switch(True)
    for now, packet in enumerate(attack(codec, room)):
        out, keyed = reference.rtp(packet, 20 * now)
        assert core.rtp(packet, 20 * now) == (out, bytes(each.code for each in keyed))
        asked = core.asked()
        assert asked == reference.asked()
        assert all(len(each) <= MAX_WAITING for each in asked)


@pytest.mark.parametrize("room", [SECOND_OF_GSM, MAX_READ])
@CODECS
def test_the_relay_outlives_a_gap_behind_a_packet_of_more_frames_than_may_wait(
    codec: DecodedCodec, room: int
) -> None:
    rig = Rig().connect_both()
    rig.relay.set_types(7, bytes([EVENT]), b"", mu=bytes([AUDIO]), decoded=bytes([TYPE, codec.number]))
    rig.relay.set_mask(7, True)
    for packet in attack(codec, room):
        rig.caller.send(packet)
    until(lambda: rig.relay.counters(7)["caller_received"] == 3)
    rig.relay.set_mask(7, False)
    left = [heard for heard in map(parse, everything(rig.agent.rtp)) if heard is not None]
    assert all(len(heard.payload) + 12 <= MAX_WAITING for heard in left)
    rig.caller.send(rtp(AUDIO, 9, 9, b"voice" * 32))
    assert received(rig.agent.rtp).endswith(b"voice")
    rig.close()


@pytest.mark.parametrize("behind", [4000, 6000, 8000, 9000, 10_000])
@pytest.mark.parametrize("size", [160, 480, 800, 960, 1280])
def test_long_frames_and_what_fills_a_long_gap_leave_as_they_came_or_as_noise(size: int, behind: int) -> None:
    """G.711, an event of 480 ms, and audio `behind` ticks after its start: nothing leaves before it
    was looked past."""
    core = _core.Mask(bytes([EVENT]), b"", mu=bytes([AUDIO]))
    reference = Mask(frozenset({EVENT}), frozenset(), codings={AUDIO: Coding.MU})
    core.switch(True)
    reference.switch(True)
    chance = random.Random(size + behind)
    events = [
        (EVENT, 4 * size, b"\x05" + bytes([0x8A if n == 24 else 0x0A]) + (160 * n).to_bytes(2, "big"))
        for n in range(1, 25)
    ]
    before = [(AUDIO, n * size, chance.randbytes(size)) for n in range(4)]
    after = [(AUDIO, 4 * size + behind + n * size, chance.randbytes(size)) for n in range(4)]
    for number, (kind, at, payload) in enumerate([*before, *events, *after]):
        packet = rtp(kind, number, at, payload)
        assert core.rtp(packet, 20 * number)[0] == reference.rtp(packet, 20 * number)[0]
        assert core.released() == list(reference.released())
    assert core.switch(False) == reference.switch(False)
