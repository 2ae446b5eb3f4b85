"""Redundancy: what is in a packet, and what of it leaves."""

from __future__ import annotations

import pytest

from media.formats import telephone_event
from media.formats.coding import Coding
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.formats.telephone_event import TelephoneEvent
from media.reference.masking import Mask
from media.reference.reassembly import LOST
from media.reference.red import Block, unwrap

RED, EVENT, MU = 121, 101, 0
SSRC = Ssrc(7)
VOICE = b"\xff" * 160


def packet(payload: bytes, number: int = 1, rtp_timestamp: int = 8000, marker: bool = False) -> Rtp:
    return Rtp(RED, marker, number, rtp_timestamp, SSRC, payload)


def red(primary: tuple[int, bytes], *older: tuple[int, int, bytes]) -> bytes:
    """`older`: payload type, how much older, payload."""
    heads = [
        (1 << 31 | kind << 24 | offset << 10 | len(payload)).to_bytes(4, "big")
        for kind, offset, payload in older
    ]
    return b"".join(heads) + bytes([primary[0]]) + b"".join(payload for _, _, payload in older) + primary[1]


def event(code: int, duration: int = 160, *, end: bool = False) -> bytes:
    return telephone_event.serialise(TelephoneEvent(code=code, end=end, duration=duration))


def mask(*, on: bool = True) -> Mask:
    made = Mask(frozenset({EVENT}), frozenset(), codings={MU: Coding.MU}, red=frozenset({RED}))
    made.switch(on)
    return made


def test_the_example_of_the_rfc_is_read():
    """RFC 2198 section 7: DVI4 as the primary, LPC from 14 times 160 units before, here by hand."""
    payload = bytes.fromhex("87 118c 0e".replace(" ", "")) + bytes([5]) + b"lpc-of-before!" + b"dvi4"
    assert unwrap(packet(payload, rtp_timestamp=100)) == (
        Block(7, (100 - (0x118C0E >> 10)) % 2**32, b"lpc-of-before!", copy=True),
        Block(5, 100, b"dvi4"),
    )
    assert unwrap(packet(b"\x05dvi4")) == (Block(5, 8000, b"dvi4"),)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x85", b"\x85\x00\x00", b"\x85\x00\x00\x01", b"\x85\x00\x00\x02\x05a",
    b"\x85\x00\x00\x00" * 8 + b"\x05",
     b"\x85\x03\xff\xff\x05" + bytes(1022)],
)  # fmt: skip
def test_lengths_that_do_not_fit_leave_no_block(payload: bytes):
    assert unwrap(packet(payload)) == ()
    out, keyed = mask().rtp(serialise(packet(payload)), 0)
    assert out is None
    assert [each.code for each in keyed] == [LOST] * bool(payload)  # it may have held a key
    assert mask(on=False).rtp(serialise(packet(payload)), 0)[0] == serialise(packet(payload))


def test_no_repr_of_a_block_tells_its_payload():
    assert "payload=b" not in repr(unwrap(packet(red((EVENT, event(5))))))


def test_each_event_is_one_key_in_whatever_block_it_comes_first():
    under = mask()
    first, second = event(4, 400, end=True), event(1, 160)
    lost = packet(red((EVENT, first)), number=1, rtp_timestamp=1000)
    both = packet(red((EVENT, second), (EVENT, 2000, first)), number=2, rtp_timestamp=3000, marker=True)
    again = packet(
        red((EVENT, event(1, 320)), (EVENT, 2000, first), (EVENT, 0, second)), number=3, rtp_timestamp=3000
    )
    assert lost != both  # it never comes
    out, keyed = under.rtp(serialise(both), 0)
    assert (out, [(each.code, each.rtp_timestamp) for each in keyed]) == (None, [(4, 1000), (1, 3000)])
    assert under.rtp(serialise(again), 20) == (None, ())
    # The next press repeats both: with the marker, long after, and with a duration that is no
    # longer.
    third = packet(
        red((EVENT, event(9)), (EVENT, 9000, event(1, 160))), number=4, rtp_timestamp=12000, marker=True
    )
    assert [each.code for each in under.rtp(serialise(third), 1000)[1]] == [9]


def test_under_the_mask_the_primary_audio_leaves_alone_and_held_as_what_it_is():
    under, left = mask(), []
    for number in range(8):
        whole = red((MU, VOICE), (EVENT, 320, event(5, 800, end=True)), (MU, 160, VOICE))
        assert under.rtp(serialise(packet(whole, number, 8000 + 160 * number)), 20 * number)[0] is None
        left += under.released()
    left += under.switch(False)
    heard = [parse(each) for each in left]
    assert [each.payload_type for each in heard] == [MU] * 8
    assert [each.sequence_number for each in heard] == list(range(8))
    assert {len(each.payload) for each in heard} == {160}


@pytest.mark.parametrize(
    "primary", [(EVENT, event(5)), (RED, red((MU, VOICE))), (99, VOICE), (MU, event(5)), (MU, b"")]
)
def test_under_the_mask_no_other_primary_leaves(primary: tuple[int, bytes]):
    under = mask()
    assert under.rtp(serialise(packet(red(primary))), 0)[0] is None
    assert under.switch(False) == []


def test_unmasked_redundancy_crosses_as_it_came():
    whole = serialise(packet(red((EVENT, event(5)), (MU, 160, VOICE))))
    assert mask(on=False).rtp(whole, 0)[0] == whole


def test_after_the_mask_what_reaches_back_to_it_leaves_as_its_primary_and_then_everything_crosses():
    under = mask()
    under.rtp(serialise(packet(red((MU, VOICE)), 1, 8000)), 0)
    under.switch(False)
    for number, offset in ((2, 160), (3, 320), (4, 480)):
        whole = packet(red((MU, VOICE), (MU, offset, VOICE)), number, 8000 + 160 * (number - 1))
        assert under.rtp(serialise(whole), 20 * number)[0] == serialise(
            Rtp(MU, False, number, whole.rtp_timestamp, SSRC, VOICE)
        )
    whole = serialise(packet(red((MU, VOICE), (MU, 160, VOICE)), 5, 8640))
    assert under.rtp(whole, 100)[0] == whole


def test_what_was_sent_plainly_under_the_mask_does_not_leave_in_redundancy_after_it():
    under, pressed = mask(), event(5, 400, end=True)
    under.rtp(serialise(Rtp(EVENT, True, 1, 8000, SSRC, pressed)), 0)
    under.rtp(serialise(Rtp(MU, False, 2, 8400, SSRC, VOICE)), 20)
    under.switch(False)
    for number, older in ((3, (EVENT, 560, pressed)), (4, (MU, 320, VOICE))):
        whole = packet(red((MU, VOICE), older), number, 8000 + 160 * (number + 1))
        assert parse(under.rtp(serialise(whole), 20 * number)[0]).payload_type == MU
