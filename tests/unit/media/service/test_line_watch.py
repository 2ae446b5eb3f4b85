"""Who is not heard, and why: counters and times in, news out."""

from __future__ import annotations

import pytest

from b2bua.call.deafness import DETAILS, line_fault
from b2bua.call.sdp.codecs import Codec
from b2bua.call.sdp.description import parse_description
from b2bua.call.sdp.negotiated import received_codec
from media.events import Deaf, DeafReason, LineChanged, SessionId, SessionSilent
from media.service.line_watch import DEAF_AFTER, LOOK, LineArrivals, LineWatch, SilenceWatch

ONE = SessionId("one")
BEFORE = LineArrivals(accepted=500, refused=7, unproved=2, address="192.0.2.9:4000")


@pytest.mark.parametrize(
    ("heard", "deaf"),
    [
        (BEFORE, Deaf(reason=DeafReason.NO_PACKET)),
        (
            LineArrivals(500, 17, 2, "192.0.2.66:9"),
            Deaf(reason=DeafReason.OTHER_SOURCE, packets=10, address="192.0.2.66:9"),
        ),
        (LineArrivals(500, 17, 5), Deaf(reason=DeafReason.NOT_AUTHENTIC, packets=3)),
    ],
)
def test_a_capture_in_which_nothing_is_accepted_is_told_in_time_and_why(
    heard: LineArrivals, deaf: Deaf
) -> None:
    watch = LineWatch()
    assert DEAF_AFTER + 2 * LOOK < 5.0
    assert watch.look_at_lines([(ONE, BEFORE)], 10.0) == []
    assert watch.look_at_lines([(ONE, heard)], 10.0 + DEAF_AFTER - 0.1) == []
    assert watch.look_at_lines([(ONE, heard)], 10.0 + DEAF_AFTER) == [LineChanged(session=ONE, deaf=deaf)]
    assert watch.look_at_lines([(ONE, heard)], 20.0) == [], "once"
    assert watch.look_at_lines([(ONE, LineArrivals(501, 17, 5))], 20.5) == [LineChanged(session=ONE)]
    assert watch.look_at_lines([(ONE, LineArrivals(501, 17, 5))], 60.0) == [], "a phone need not send silence"


def test_a_source_that_changes_within_a_capture_is_told_and_what_it_sends_is_counted() -> None:
    watch = LineWatch()
    watch.look_at_lines([(ONE, BEFORE)], 0.0)
    assert watch.look_at_lines([(ONE, LineArrivals(700, 7, 2))], 4.0) == []
    moved = LineArrivals(700, 157, 2, "192.0.2.66:9")
    [news] = watch.look_at_lines([(ONE, moved)], 7.0)
    assert news == LineChanged(
        session=ONE, deaf=Deaf(reason=DeafReason.OTHER_SOURCE, packets=150, address="192.0.2.66:9")
    )
    assert watch.look_at_lines([(ONE, LineArrivals(700, 257, 2, "192.0.2.66:9"))], 9.0) == [], (
        "one news a reason"
    )
    assert watch.look_at_lines([(ONE, LineArrivals(701, 257, 2))], 9.5) == [LineChanged(session=ONE)]


def test_a_capture_that_ends_takes_the_fault_with_it_and_the_next_begins_anew() -> None:
    watch = LineWatch()
    watch.look_at_lines([(ONE, BEFORE)], 0.0)
    assert watch.look_at_lines([(ONE, BEFORE)], 4.0) != []
    assert watch.look_at_lines([], 5.0) == [LineChanged(session=ONE)]
    assert watch.look_at_lines([(ONE, BEFORE)], 6.0) == []
    assert watch.look_at_lines([(ONE, BEFORE)], 10.0) != []


def test_a_session_without_any_packet_is_silent_each_time_so_long_has_passed() -> None:
    watch = SilenceWatch(90.0)
    assert watch.look_at_sessions([(ONE, 5)], 0.0) == []
    assert watch.look_at_sessions([(ONE, 6)], 80.0) == []
    assert watch.look_at_sessions([(ONE, 6)], 169.0) == []
    assert watch.look_at_sessions([(ONE, 6)], 170.0) == [SessionSilent(session=ONE, seconds=90.0)]
    assert watch.look_at_sessions([(ONE, 6)], 171.0) == []
    assert watch.look_at_sessions([(ONE, 6)], 260.0) == [SessionSilent(session=ONE, seconds=90.0)]
    assert watch.look_at_sessions([], 300.0) == []


def test_every_reason_has_its_sentence_and_hold_explains_that_nothing_comes() -> None:
    assert set(DETAILS) == set(DeafReason)
    assert line_fault(Deaf(reason=DeafReason.NO_PACKET), held=True).code is DeafReason.ON_HOLD
    assert line_fault(Deaf(reason=DeafReason.OTHER_SOURCE), held=True).code is DeafReason.OTHER_SOURCE


def test_the_codec_is_the_one_of_which_most_packets_came() -> None:
    described = parse_description(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 0 8 9 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
    assert received_codec(described, {9: 500, 101: 600, 0: 3}) == Codec("G722", 8000)
    assert received_codec(described, {}) is None
    assert received_codec(described, {101: 5, 96: 7}) is None
