"""Presses and their order, case by case."""

from __future__ import annotations

from media.reassembly import HOLD_MS, REORDER_TICKS, REPLAY_GAP_MS, ROOM, KeyQueue, Presses, Sighting
from media.rtp import Ssrc
from media.telephone_event import SEGMENT, TelephoneEvent

SSRC = Ssrc(1)
NEW, MORE = Sighting(is_new=True, withheld=False), Sighting(is_new=False, withheld=False)


class Script:
    """A sender whose packets reach `Presses` one by one."""

    def __init__(self) -> None:
        self.presses = Presses()

    def __call__(
        self, now_ms: int, rtp_timestamp: int, duration: int, *, end=False, marker=False, masked=False, ssrc=SSRC
    ) -> Sighting:
        event = TelephoneEvent(code=5, end=end, duration=duration)
        return self.presses.sight(ssrc, rtp_timestamp % 2**32, marker, event, masked, now_ms)


def test_a_press_is_new_at_its_first_packet_whichever_that_is():
    for first in ({"duration": 0, "marker": True}, {"duration": 320}, {"duration": 800, "end": True}):
        sight = Script()
        assert sight(0, 1000, **first) == NEW
        assert sight(20, 1000, 800, end=True) == MORE
        assert sight(40, 1000, 800, end=True) == MORE
        assert sight(60, 1000, 160) == MORE  # late


def test_a_lost_end_still_gives_one_digit():
    sight = Script()
    assert [sight(20 * step, 1000, 160 * step) for step in range(5)] == [NEW] + [MORE] * 4
    assert sight(200, 3000, 160) == NEW


def test_a_replay_is_a_new_press_after_the_gap_and_not_before():
    sight = Script()
    sight(0, 1000, 0, marker=True)
    sight(20, 1000, 800, end=True)
    assert sight(20 + REPLAY_GAP_MS, 1000, 0) == MORE
    assert sight(21 + 2 * REPLAY_GAP_MS, 1000, 0, marker=True) == Sighting(is_new=True, withheld=False, replayed=True)
    assert sight(30 + 2 * REPLAY_GAP_MS, 1000, 800, end=True) == MORE


def test_ends_that_were_held_up_begin_nothing_anew():
    sight = Script()
    assert sight(0, 1000, 800, end=True) == NEW
    assert sight(5000, 1000, 800, end=True) == MORE
    assert sight(9000, 1000, 960) == MORE  # it went on all the time, and its packets were held up


def test_segments_of_a_long_press_are_one_press():
    for origin in (1000, 2**32 - SEGMENT, 2**32 - 1):
        sight = Script()
        assert sight(0, origin, 160, marker=True) == NEW
        assert sight(8190, origin, SEGMENT) == MORE
        assert sight(8210, origin + SEGMENT, 160) == MORE
        assert sight(8200, origin, SEGMENT) == MORE  # late, of the first segment
        assert sight(16400, origin + 2 * SEGMENT, 160) == MORE
        assert sight(16500, origin + 2 * SEGMENT, 960, end=True) == MORE


def test_an_ended_event_has_no_further_segment():
    sight = Script()
    sight(0, 1000, 800, end=True)
    assert sight(8192, 1000 + SEGMENT, 160) == NEW


def test_a_segment_that_ends_short_is_followed_too_unless_a_marker_begins_anew():
    for marker, expected in ((False, MORE), (True, NEW)):
        sight = Script()
        sight(0, 1000, 0xFF00)
        assert sight(20, 1000 + 0xFF00, 160, marker=marker) == expected
    sight = Script()
    sight(0, 1000, 0x0800)
    assert sight(20, 1000 + 0x0800, 160) == NEW


def test_another_ssrc_is_another_press():
    sight = Script()
    assert sight(0, 1000, 160) == sight(0, 1000, 160, ssrc=Ssrc(2)) == NEW


def test_a_press_of_which_any_part_was_masked_stays_withheld():
    sight = Script()
    assert sight(0, 1000, 160) == NEW
    assert sight(20, 1000, 320, masked=True).withheld
    assert sight(40, 1000, 480).withheld
    assert sight(8000, 1000 + SEGMENT, 160) == Sighting(is_new=False, withheld=True)
    assert sight(9000, 99_000, 160) == NEW


def test_only_the_newest_presses_are_remembered():
    sight = Script()
    for index in range(9):
        sight(index, 1000 * index, 160)
    assert sight(10, 1000 * 8, 160) == MORE
    assert sight(11, 0, 160) == NEW


def test_keys_are_held_then_taken_in_the_order_of_the_presses():
    keys = KeyQueue()
    for code, rtp_timestamp, now in ((4, 1000, 0), (1, 3000, 20), (2, 2000, 40)):
        assert keys.put(code, SSRC, rtp_timestamp, now)
    assert keys.ripe(HOLD_MS - 1) == 0
    assert keys.take(HOLD_MS) == b"4"
    assert keys.take(HOLD_MS + 20) == b"21"


def test_order_is_told_across_the_wrap_of_rtp_timestamp_but_not_across_senders_or_ages():
    for ssrc, rtp_timestamp, now, order in (
        (SSRC, 2**32 - 100, 50, b"21"),
        (Ssrc(9), 2**32 - 100, 50, b"12"),
        (SSRC, 2**32 - REORDER_TICKS, 50, b"12"),
        (SSRC, 2**32 - 100, HOLD_MS, b"12"),
    ):
        keys = KeyQueue()
        keys.put(1, SSRC, 100, 0)
        keys.put(2, ssrc, rtp_timestamp, now)
        assert keys.take(1000) == order


def test_a_key_without_room_is_refused_not_skipped():
    keys = KeyQueue()
    assert all(keys.put(1, SSRC, 1000 * index, index) for index in range(ROOM))
    assert not keys.put(2, SSRC, 99_000, 99)
    assert keys.take(1000) == b"1" * ROOM


def test_no_key_is_in_a_repr():
    keys = KeyQueue()
    keys.put(7, Ssrc(0), 0, 0)
    assert "7" not in repr(keys)
