"""Presses and their order, case by case."""

from __future__ import annotations

from media.formats.rtp import Ssrc
from media.formats.telephone_event import SEGMENT, TelephoneEvent
from media.reference.reassembly import (
    HOLD_MS,
    LOST,
    ORDER_MS,
    REORDER_TICKS,
    REPLAY_GAP_MS,
    ROOM,
    Arrival,
    KeyQueue,
    Presses,
    Sighting,
)

SSRC = Ssrc(1)
NEW, MORE = Sighting(is_new=True, withheld=False), Sighting(is_new=False, withheld=False)
AGAIN = Sighting(is_new=True, withheld=False, replayed=True)
NOBODY_KNOWS = Sighting(is_new=False, withheld=False, lost=True)


class Script:
    """A sender whose packets reach `Presses` one by one, each with the next sequence number where
    none is said."""

    def __init__(self, number: int = 0xFFFE) -> None:
        self.presses, self.number = Presses(), number

    def __call__(
        self, now_ms: int, rtp_timestamp: int, duration: int, *, end=False, marker=False, masked=False,
        ssrc=SSRC, number=None,
        copy=False, code=5,
    ) -> Sighting:  # fmt: skip
        self.number += number is None
        event = TelephoneEvent(code=code, end=end, duration=duration)
        sequence_number = (self.number if number is None else number) % 0x10000
        return self.presses.sight(
            Arrival(ssrc, rtp_timestamp % 2**32, sequence_number, marker, event, masked, now_ms, copy)
        )


def test_a_press_is_new_at_its_first_packet_whichever_that_is():
    for first in ({"duration": 0, "marker": True}, {"duration": 320}, {"duration": 800, "end": True}):
        sight = Script()
        assert sight(0, 1000, **first) == NEW
        assert sight(20, 1000, 800, end=True) == MORE
        assert sight(40, 1000, 800, end=True) == MORE
        assert sight(60, 1000, 160, number=0xFFFF) == MORE  # late


def test_a_lost_end_still_gives_one_digit():
    sight = Script()
    assert [sight(20 * step, 1000, 160 * step) for step in range(5)] == [NEW] + [MORE] * 4
    assert sight(200, 3000, 160) == NEW


def test_a_recording_is_a_new_press_when_its_second_packet_has_come():
    sight = Script()
    sight(0, 1000, 0, marker=True, number=7)
    sight(20, 1000, 800, end=True, number=8)
    assert sight(20 + REPLAY_GAP_MS, 1000, 0, marker=True, number=7) == MORE
    again = 21 + 2 * REPLAY_GAP_MS
    assert sight(again, 1000, 0, marker=True, number=7) == MORE
    assert sight(again + 20, 1000, 800, end=True, number=8) == AGAIN
    assert sight(again + 30, 1000, 800, end=True, number=8) == MORE


def test_what_comes_late_is_no_new_press_and_half_a_recording_ends_the_capture():
    for late in ({"duration": 480, "number": 3}, {"duration": 160, "marker": True, "number": 1}):
        sight = Script()
        for number in (1, 2, 4):
            sight(20 * number, 1000, 160 * number, number=number, marker=number == 1)
        sight(100, 1000, 800, end=True, number=5)
        assert sight(101 + REPLAY_GAP_MS, 1000, **late) == MORE
    sight = Script()
    for number in range(1, 5):
        sight(20 * number, 1000, 160 * number, number=number)
    assert sight(400, 1000, 320, number=2) == MORE
    assert sight(420, 1000, 480, number=3) == NOBODY_KNOWS


def test_another_press_with_the_rtp_timestamp_of_one_that_ended_is_told_by_marker_and_sequence_number():
    for gap in (60, 200, 260):
        sight = Script()
        for began in (0, 100 + gap, 200 + 2 * gap):
            first = NEW if began == 0 else AGAIN
            assert sight(began, 1000, 160, marker=True) == first
            assert [sight(began + 20 * step, 1000, 160 * step) for step in (2, 3, 4)] == [MORE] * 3
            assert [sight(began + 100, 1000, 800, end=True) for _ in range(3)] == [MORE] * 3


def test_what_may_be_the_same_press_or_another_ends_the_capture():
    sight = Script()
    assert sight(0, 1000, 800, end=True) == NEW
    assert sight(60, 1000, 160) == NOBODY_KNOWS  # no marker, and no pause
    for later in ({"duration": 320}, {"duration": 480, "marker": True}):
        sight = Script()
        sight(0, 1000, 480)
        assert sight(1 + REPLAY_GAP_MS, 1000, **later) == NOBODY_KNOWS  # it never ended
    for number in (2, 4):  # one more end, or all that came of the next press
        sight = Script(number=0)
        assert sight(0, 1000, 800, end=True) == NEW
        assert sight(20, 2120, 800, end=True, number=number + 1) == NOBODY_KNOWS


def test_packets_that_are_held_up_and_ends_behind_the_event_are_of_the_press_that_goes_on():
    """Three senders whose one press was taken for two, by when its packets came or by its last ends
    alone."""
    sight = Script()
    held_up = [
        sight(20 * n + 130 * (n > 2), 1000 + 160 * n, 160 * (n + 1), marker=n == 0, end=n > 2)
        for n in range(6)
    ]
    assert held_up == [NEW] + [MORE] * 5
    sight = Script()
    updates = [sight(20 * n, 1000, 160 * (n + 1), marker=n == 0, end=n == 4) for n in range(5)]
    within = [sight(230 + 20 * n, 1160 + 160 * n, 800, end=True) for n in range(2)]
    assert updates + within == [NEW] + [MORE] * 6
    sight = Script()
    updates = [sight(20 * n, 1000, 160 * (n + 1), marker=n == 0, end=n == 4) for n in range(5)]
    behind = [sight(100 + 20 * n, 1960 + 160 * n, 800, end=True) for n in range(2)]
    assert updates + behind == [NEW] + [MORE] * 6


def test_ends_that_were_held_up_begin_nothing_anew():
    sight = Script()
    assert sight(0, 1000, 800, end=True) == NEW
    assert sight(5000, 1000, 800, end=True) == MORE
    assert sight(9000, 1000, 960) == MORE  # it went on all the time, and its packets were held up
    assert sight(9300, 1000, 960, end=True, marker=True, number=sight.number) == MORE  # a copy
    assert sight(9600, 1000, 960, end=True, marker=True) == NOBODY_KNOWS


def test_rtp_timestamps_that_go_on_within_a_press_begin_none():
    for origin in (1000, 2**32 - 320):
        for durations in (range(160, 1120, 160), [160] * 6):
            sight = Script()
            seen = [
                sight(20 * step, origin + 160 * step, duration, marker=step == 0, end=step == 5)
                for step, duration in enumerate(durations)
            ]
            assert seen == [NEW] + [MORE] * 5
            assert sight(130, origin + 160, 320, number=0) == MORE  # late
            assert sight(300, origin + 2000, 160, marker=True) == NEW


def test_ends_with_rtp_timestamps_of_their_own_begin_none():
    sight = Script()
    seen = [sight(20 * step, 1000, 160 * (step + 1), marker=step == 0) for step in range(5)]
    seen += [sight(100 + 20 * step, 1800 + 160 * step, 800, end=True) for step in range(3)]
    assert seen == [NEW] + [MORE] * 7


def test_a_press_begins_with_a_marker_or_after_a_gap_though_the_one_before_never_ended():
    for more in ({"duration": 160, "marker": True}, {"duration": 960, "number": 50}):
        sight = Script(number=0)
        sight(0, 1000, 800)
        assert sight(20, 1960, **more) == NEW


def test_another_key_is_another_press_whatever_else_is_the_same():
    sight = Script()
    assert sight(0, 1000, 800, code=3, end=True) == NEW
    assert sight(20, 1000, 160, code=4) == AGAIN
    assert sight(40, 1160, 320, code=5) == NEW


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


def test_another_ssrc_is_another_press_unless_one_goes_on():
    for rtp_timestamp in (1000, 50_000):
        sight = Script()
        assert [sight(20 * step, 1000, 160 * (step + 1)) for step in range(3)] == [NEW, MORE, MORE]
        seen = [
            sight(20 * step, rtp_timestamp, 160 * (step + 1), ssrc=Ssrc(2), end=step == 5)
            for step in range(3, 6)
        ]
        assert seen == [MORE] * 3
        assert sight(120, 90_000, 160, ssrc=Ssrc(3)) == NEW
    sight = Script()
    sight(0, 1000, 800, end=True)
    assert sight(20, 1000, 800, end=True, ssrc=Ssrc(2)) == MORE
    assert sight(40, 3000, 160, ssrc=Ssrc(2)) == NEW


def test_one_press_under_two_types_each_with_its_ssrc_is_one():
    for order in ((1, 6), (6, 1)):
        sight = Script()
        seen = [
            sight(20 * step, 1000, 160 * step * rate, ssrc=Ssrc(rate), end=step == 5, marker=step == 1)
            for step in range(1, 6)
            for rate in order
        ]
        assert seen == [NEW] + [MORE] * 9


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
    assert keys.take_ripe(HOLD_MS) == b"4"
    assert keys.take_ripe(HOLD_MS + 20) == b"21"


def test_order_is_told_across_the_wrap_of_rtp_timestamp_but_not_across_senders_or_ages():
    for ssrc, rtp_timestamp, now, order in (
        (SSRC, 2**32 - 100, 50, b"21"),
        (SSRC, 2**32 - 100, ORDER_MS - 1, b"21"),
        (Ssrc(9), 2**32 - 100, 50, b"12"),
        (SSRC, 2**32 - REORDER_TICKS, 50, b"12"),
        (SSRC, 2**32 - 100, ORDER_MS, b"12"),
    ):
        keys = KeyQueue()
        keys.put(1, SSRC, 100, 0)
        keys.put(2, ssrc, rtp_timestamp, now)
        assert keys.take_ripe(1000) == order


def test_a_key_without_room_is_refused_not_skipped():
    keys = KeyQueue()
    assert all(keys.put(1, SSRC, 1000 * index, index) for index in range(ROOM))
    assert not keys.put(2, SSRC, 99_000, 99)
    assert keys.take_ripe(1000) == b"1" * ROOM


def test_a_key_whose_place_was_before_one_that_was_taken_is_refused():
    for now, kept in ((HOLD_MS + 50, False), (ORDER_MS - 1, False), (ORDER_MS, True)):
        keys = KeyQueue()
        assert keys.put(5, SSRC, 8000, 0)
        assert keys.take_ripe(HOLD_MS) == b"5"
        assert keys.put(4, SSRC, 100, now) is kept
        assert keys.put(4, SSRC, 9000, now)


def test_a_key_that_nobody_can_tell_is_refused():
    assert not KeyQueue().put(LOST, SSRC, 0, 0)


def test_no_key_is_in_a_repr():
    keys = KeyQueue()
    keys.put(7, Ssrc(0), 0, 0)
    assert "7" not in repr(keys)
