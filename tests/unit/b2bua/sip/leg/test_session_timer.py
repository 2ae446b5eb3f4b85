"""Session timers (RFC 4028): what is agreed on, by whom it is refreshed, and when it is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.sip.hop import Hop
from b2bua.sip.leg.session_timer import (
    SessionTimer,
    SessionTimerState,
    TimerAction,
    TimerRequest,
    is_too_brief,
    negotiate,
    request_lines,
)
from b2bua.sip.leg.session_timer import read_session_timer as wish_of
from b2bua.sip.message.message import Request, parse_message


def request(*lines: str) -> Request:
    head = [
        "INVITE sip:bob@192.0.2.1 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa",
        "From: <sip:ann@192.0.2.2>;tag=a",
        "To: <sip:bob@192.0.2.1>", "Call-ID: c", "CSeq: 1 INVITE", *lines,
    ]  # fmt: skip
    message = parse_message(("\r\n".join(head) + "\r\n\r\n").encode(), Hop("192.0.2.2", 5060))
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("lines", "wish"),
    [
        ((), TimerRequest()),
        (("Supported: 100rel, timer",), TimerRequest(supported=True)),
        (("x: 1800;refresher=uac", "k: timer"), TimerRequest(1800, "uac", 0, True)),
        (("Session-Expires: 600 ; Refresher=UAS", "Min-SE: 120"), TimerRequest(600, "uas", 120, False)),
        (("Session-Expires: 90", "Require: timer"), TimerRequest(90, "", 0, True)),
    ],
)
def test_what_a_message_says_is_read(lines, wish):
    assert wish_of(request(*lines)) == wish


@pytest.mark.parametrize(
    "line",
    [
        "Session-Expires: soon",
        "Session-Expires: -1",
        "Session-Expires: 0",
        "Min-SE: 99999999999",
        "Session-Expires: 9;refresher=me",
    ],
)
def test_what_is_malformed_is_an_error(line):
    with pytest.raises(ValueError, match=r"."):
        wish_of(request(line))


@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        # section 9, table 2: the refresher that the request names stays; without, whoever can.
        (
            TimerRequest(1800, "uac", 90, True),
            (1800, False, ("Session-Expires: 1800;refresher=uac", "Require: timer")),
        ),
        (TimerRequest(1800, "uas", 90, True), (1800, True, ("Session-Expires: 1800;refresher=uas",))),
        (
            TimerRequest(0, "", 0, True),
            (1800, False, ("Session-Expires: 1800;refresher=uac", "Require: timer")),
        ),
        (TimerRequest(0, "", 0, False), (1800, True, ("Session-Expires: 1800;refresher=uas",))),
        (TimerRequest(600, "", 0, False), (600, True, ("Session-Expires: 600;refresher=uas",))),
        (TimerRequest(30, "", 0, False), (90, True, ("Session-Expires: 90;refresher=uas",))),
        (
            TimerRequest(0, "", 3600, True),
            (3600, False, ("Session-Expires: 3600;refresher=uac", "Require: timer")),
        ),
        (
            TimerRequest(7200, "uac", 0, True),
            (1800, False, ("Session-Expires: 1800;refresher=uac", "Require: timer")),
        ),
    ],
)
def test_a_request_is_answered_with_an_interval_and_a_refresher(wish, answer):
    assert negotiate(wish, 1800, 90) == answer


def test_without_timers_of_our_own_the_peer_still_gets_its_own():
    assert negotiate(TimerRequest(600, "uac", 90, True), 0, 90)[0] == 600
    assert negotiate(TimerRequest(), 0, 90) == (0, False, ())
    assert request_lines(0, 90) == ()


def test_a_brief_interval_is_refused_only_where_the_peer_knows_what_that_is():
    assert is_too_brief(TimerRequest(60, supported=True), 90)
    assert not is_too_brief(TimerRequest(60), 90)
    assert not is_too_brief(TimerRequest(90, supported=True), 90)


@pytest.mark.parametrize(("interval", "end"), [(90, 60.0), (1800, 1768.0)])
def test_who_waits_gives_up_before_the_end(interval, end):
    timer = SessionTimer()
    timer.agree(interval, ours=False, now=0)
    assert timer.deadline() == end
    assert timer.expire(end - 0.1) is None
    assert timer.expire(end) is TimerAction.END
    assert (timer.state, timer.deadline(), timer.expire(end + 999)) == (SessionTimerState.EXPIRED, None, None)


def test_who_refreshes_does_so_at_half_time_and_ends_what_cannot_be_refreshed():
    timer = SessionTimer()
    timer.agree(1800, ours=True, now=100)
    assert timer.deadline() == 1000
    assert timer.expire(1000) is TimerAction.REFRESH
    assert timer.expire(1001) is None
    timer.postpone(5, now=1010)
    assert timer.expire(1015) is TimerAction.REFRESH
    assert timer.expire(1868) is TimerAction.END


@given(
    st.lists(st.tuples(st.sampled_from(["ours", "theirs", "none", "time", "postpone"]), st.integers(0, 2000)))
)
def test_whatever_happens_a_session_ends_once_and_never_before_its_interval(steps):
    timer, now, agreed_at, ended = SessionTimer(), 0.0, None, False
    for what, number in steps:
        match what:
            case "ours" | "theirs":
                timer.agree(number + 90, what == "ours", now)
                agreed_at = now
            case "none":
                timer.agree(0, ours=True, now=now)
            case "postpone":
                timer.postpone(number, now)
            case "time":
                now += number
                due = timer.expire(now)
                if due is TimerAction.END:
                    assert not ended
                    ended = True
                    assert agreed_at is not None
                    assert now - agreed_at >= timer.interval * 2 / 3 - 1e-6
        assert (timer.state is SessionTimerState.EXPIRED) == ended
        assert timer.deadline() is None or timer.state in {SessionTimerState.OURS, SessionTimerState.THEIRS}
