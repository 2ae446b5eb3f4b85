"""The mask and the sequence numbers behind it, case by case."""

from __future__ import annotations

import pytest

from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.reference.masking import Mask
from media.reference.sequence import TRACKS, Tracks
from media.reference.source import EXACT_GRACE, Source

SSRC = Ssrc(0xABCD)


def packet(sequence_number: int, payload_type: int = 0, payload: bytes = b"voice") -> bytes:
    return serialise(Rtp(payload_type, False, sequence_number % 0x10000, 0, SSRC, payload))


def test_types_that_are_unknown_pass_unmasked_only():
    mask = Mask(frozenset(), frozenset())
    for anything in (packet(1, 77), b"not RTP", b""):
        assert mask.rtp(anything, 0) == (anything, ())
        assert mask.rtcp(anything) == anything
    mask.on = True
    for anything in (packet(1, 0), b"not RTP", b""):
        assert mask.rtp(anything, 0) == (None, ())
        assert mask.rtcp(anything) is None


def test_a_type_that_is_listed_as_audio_and_as_event_is_an_event():
    assert Mask(frozenset({96}), frozenset({0, 96}), on=True).rtp(packet(1, 96), 0) == (None, ())


def test_a_hook_flash_is_withheld_but_is_no_key():
    assert Mask(frozenset({101}), frozenset({0}), on=True).rtp(packet(1, 101, b"\x10\x0a\x00\xa0"), 0) == (
        None,
        (),
    )


@pytest.mark.parametrize("origin", [*range(65500, 65536, 5), 0, 32767, 32768])
def test_numbers_stay_continuous_across_every_wrap_point(origin):
    tracks, left = Tracks(), []
    for index in range(200):
        left.append(tracks.leaves_as(SSRC, (origin + index) % 0x10000, withhold=index % 3 == 1))
    assert [each is None for each in left] == [index % 3 == 1 for index in range(200)]
    kept = [each for each in left if each is not None]
    assert kept == [(origin + index) % 0x10000 for index in range(len(kept))]


def test_late_audio_takes_the_place_that_was_kept_for_it():
    tracks = Tracks()
    assert tracks.leaves_as(SSRC, 10, False) == 10
    assert tracks.leaves_as(SSRC, 12, True) is None
    assert tracks.leaves_as(SSRC, 13, False) == 12
    assert tracks.leaves_as(SSRC, 11, False) == 11


def test_an_end_that_comes_three_times_under_one_number_counts_once():
    tracks = Tracks()
    tracks.leaves_as(SSRC, 1, False)
    assert [tracks.leaves_as(SSRC, 2, True) for _ in range(3)] == [None] * 3
    assert tracks.leaves_as(SSRC, 3, False) == 2


def test_a_copy_of_a_withheld_packet_does_not_pass_after_the_mask():
    tracks = Tracks()
    tracks.leaves_as(SSRC, 1, False)
    tracks.leaves_as(SSRC, 2, True)
    assert tracks.leaves_as(SSRC, 2, False) is None


def test_a_stray_packet_changes_nothing_but_two_in_a_row_are_a_new_beginning():
    tracks = Tracks()
    tracks.leaves_as(SSRC, 100, True)
    assert tracks.leaves_as(SSRC, 40_000, False) == 39_999
    assert tracks.leaves_as(SSRC, 101, False) == 100
    assert tracks.leaves_as(SSRC, 40_000, True) is None
    assert tracks.leaves_as(SSRC, 40_001, True) is None
    assert tracks.leaves_as(SSRC, 40_002, False) == 39_999


def recording(started_ms: int) -> list[tuple[int, bytes]]:
    """A key as a test tool replays it: the same SSRC, numbers and rtp_timestamp each time, the end
    three times."""
    payloads = [bytes((4, 0x0A)) + (160 * step).to_bytes(2, "big") for step in range(7)]
    payloads += [b"\x04\x8a" + (160 * 7).to_bytes(2, "big")] * 3
    return [
        (started_ms + 20 * step, serialise(Rtp(101, step == 0, 7984 + min(step, 7), 13280, SSRC, payload)))
        for step, payload in enumerate(payloads)
    ]


@pytest.mark.parametrize("played_masked", [0, 1, 3])
def test_a_replayed_recording_is_withheld_each_time_and_passes_after_the_mask(played_masked):
    """A press begins again at a recording's second packet; until then, the first may be a late one
    of what was withheld."""
    mask = Mask(frozenset({101}), frozenset({0}), on=True)
    for play in range(played_masked):
        results = [mask.rtp(sent, now) for now, sent in recording(1000 * play)]
        assert [out for out, _ in results] == [None] * 10
        assert [index for index, (_, keyed) in enumerate(results) if keyed] == [min(play, 1)]
    mask.on = False
    for play in range(2):
        left = [mask.rtp(sent, now)[0] for now, sent in recording(10_000 + 1000 * play)]
        if played_masked and play == 0:
            assert left.pop(0) is None
        # Of the later plays, the first packet has a number that was given away.
        withheld = 7 * played_masked + (played_masked > 0)
        first = 7984 - withheld + 10 - len(left)
        passed = [parse(each).sequence_number for each in left]
        assert passed == [first + min(step, len(left) - 3) for step in range(len(left))]


def test_the_ssrc_that_was_silent_longest_makes_room():
    tracks = Tracks()
    for ssrc in range(TRACKS):
        tracks.leaves_as(Ssrc(ssrc), 1, True)
    tracks.leaves_as(Ssrc(0), 2, False)
    tracks.leaves_as(Ssrc(99), 1, False)
    assert tracks.leaves_as(Ssrc(0), 3, False) == 2
    assert tracks.leaves_as(Ssrc(1), 3, False) == 3


def test_unmasked_an_event_differs_in_its_number_alone():
    mask = Mask(frozenset({101}), frozenset({0}), on=True)
    mask.rtp(packet(1), 0)
    mask.rtp(packet(2, 101, b"\x10\x0a\x00\xa0"), 0)
    mask.on = False
    out, keyed = mask.rtp(packet(3, 101, b"\x05\x0a\x00\xa0"), 500)
    assert out == packet(2, 101, b"\x05\x0a\x00\xa0")
    [keyed] = keyed
    assert keyed.code == 5
    assert "5" not in repr(keyed).replace(str(SSRC), "")


def test_the_exact_address_is_the_only_source():
    source = Source()
    assert not source.admits(("192.0.2.1", 4000), valid=True)
    source.set(("192.0.2.1", 4000), latch=False)
    assert source.admits(("192.0.2.1", 4000), valid=False)
    assert not source.admits(("192.0.2.1", 4001), valid=True)
    source.set(None, latch=False)
    assert not source.admits(("192.0.2.1", 4000), valid=True)


@pytest.mark.parametrize(
    ("signalled", "origin", "admitted"),
    [("192.0.2.1", "192.0.2.200", True), ("192.0.2.1", "192.0.3.1", False),
    ("10.1.1.1", "198.51.100.9", True),
     ("100.64.0.1", "198.51.100.9", True), ("172.32.0.1", "198.51.100.9", False),
     ("10.1.1.1", "2001:db8::1", False),
     ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
     ("fd00::1", "2001:db8::1", True)],
)  # fmt: skip
def test_a_latch_admits_the_network_of_the_sdp_or_any_where_that_is_private(signalled, origin, admitted):
    source = Source()
    source.set((signalled, 4000), latch=True)
    assert not source.admits((origin, 9), valid=False)
    assert source.admits((origin, 9), valid=True) is admitted
    if admitted:
        assert not source.admits((signalled, 4000), valid=True, now=EXACT_GRACE)
        source.set((signalled, 4000), latch=True)
        assert source.current == (origin, 9)
        source.set((signalled, 4002), latch=True)
        assert source.current == (signalled, 4002)


def test_the_address_of_the_sdp_takes_the_place_of_whoever_was_faster_for_a_short_time() -> None:
    source = Source()
    source.set(("192.0.2.1", 4000), latch=True)
    assert source.admits(("192.0.2.66", 9), valid=True, now=10.0)
    assert not source.admits(("192.0.2.67", 9), valid=True, now=10.5)
    assert not source.admits(("192.0.2.1", 4000), valid=False, now=10.5)
    assert source.admits(("192.0.2.1", 4000), valid=True, now=11.0)
    assert not source.admits(("192.0.2.66", 9), valid=True, now=11.1)


def test_rtcp_is_locked_to_the_host_of_the_locked_rtp():
    media, control = Source(), Source()
    media.set(("192.0.2.1", 4000), latch=True)
    control.set(("192.0.2.1", 4001), latch=True)
    assert not control.admits(("192.0.2.7", 9), valid=True, paired=media)
    assert media.admits(("192.0.2.7", 8), valid=True)
    assert not control.admits(("192.0.2.1", 4001), valid=True, paired=media)
    assert control.admits(("192.0.2.7", 9), valid=True, paired=media)


def test_the_rewritten_packet_parses_to_what_came_in():
    out, _ = Mask(frozenset(), frozenset({0}), on=True).rtp(packet(5), 0)
    assert parse(out) == parse(packet(5))
