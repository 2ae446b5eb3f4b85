"""Renegotiation as scripts: re-INVITEs from either end, refused, crossed, without an offer, and what stays as it was."""

from __future__ import annotations

import pytest

from b2bua.call import leg
from b2bua.call.bridge import OTHER
from b2bua.call.command import ToLeg
from media.events import Side
from tests.call_script import CLOSE, IS, THEIRS, Script, ours, remote, sdp

CALLER, AGENT = Side.CALLER, Side.AGENT
REFUSALS = [(488, "Not Acceptable Here"), (491, "Request Pending"), (603, "Decline")]
from_either = pytest.mark.parametrize("side", [CALLER, AGENT], ids=["customer", "agent"])


def held(side: Side) -> bytes:
    return THEIRS[side] + b"a=sendonly\r\n"


def up() -> Script:
    return Script().answer()


@from_either
def test_a_hold_and_its_end_cross_to_the_other_leg(side: Side):
    script, other = up(), OTHER[side]
    assert script.leg(side, leg.LegReinvited(held(side))) == [
        IS[side],
        ToLeg(other, leg.ReinviteLeg(ours(other, 2, extra="a=sendonly\r\n"))),
    ]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other] + b"a=recvonly\r\n")) == [
        IS[other],
        ToLeg(side, leg.AnswerReinvite(ours(side, 2, extra="a=recvonly\r\n"))),
    ]
    assert script.leg(side, leg.LegConfirmed()) == []
    assert script.leg(side, leg.LegReinvited(THEIRS[side])) == [IS[side], ToLeg(other, leg.ReinviteLeg(ours(other, 3)))]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other])) == [
        IS[other],
        ToLeg(side, leg.AnswerReinvite(ours(side, 3))),
    ]


@from_either
def test_the_old_form_of_hold_stops_the_stream_and_crosses(side: Side):
    script, other = up(), OTHER[side]
    offer = (
        THEIRS[side].replace(b"c=IN IP4 192.0.2.10", b"c=IN IP4 0.0.0.0").replace(b"192.0.2.20\r\nt=", b"0.0.0.0\r\nt=")
    )
    stop, reinvite = script.leg(side, leg.LegReinvited(offer))
    assert stop.command.streams[0].port == 0
    assert b"c=IN IP4 0.0.0.0\r\n" in reinvite.command.offer
    assert f"m=audio {20000 if other is CALLER else 20002} RTP".encode() in reinvite.command.offer


@from_either
def test_a_peer_that_moves_is_followed(side: Side):
    script = up()
    moved = sdp("192.0.2.77", 7000)
    assert script.leg(side, leg.LegReinvited(moved))[0] == remote(side, "192.0.2.77", 7000)


@from_either
@pytest.mark.parametrize(("code", "phrase"), REFUSALS)
def test_a_refused_reinvite_leaves_the_session_as_it_was(side: Side, code: int, phrase: str):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(sdp("192.0.2.77", 7000, extra="a=sendonly\r\n")))
    assert script.leg(other, leg.ReinviteFailed(code, phrase)) == [
        IS[side],  # back to where it was
        ToLeg(side, leg.RejectReinvite(code, phrase)),
    ]
    # What the other leg is offered next is the session that runs, in a version of its own.
    assert script.leg(other, leg.LegReinvited(b"")) == [ToLeg(other, leg.AnswerReinvite(ours(other, 3)))]


@from_either
def test_a_reinvite_answered_with_nonsense_is_refused_and_undone(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(sdp("192.0.2.77", 7000)))
    assert script.leg(other, leg.ReinviteAnswered(b"nonsense")) == [
        IS[side],
        ToLeg(side, leg.RejectReinvite(488, "Not Acceptable Here")),
    ]


@from_either
@pytest.mark.parametrize("offer", [b"nonsense", sdp("phone.example", 4000)])
def test_an_offer_that_cannot_be_relayed_is_refused_and_the_other_leg_not_troubled(side: Side, offer: bytes):
    script = up()
    assert script.leg(side, leg.LegReinvited(offer)) == [ToLeg(side, leg.RejectReinvite(488, "Not Acceptable Here"))]
    assert script.leg(side, leg.LegReinvited(held(side)))[0] == IS[side]


@from_either
def test_reinvites_that_cross_are_refused_as_pending(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(held(side)))
    assert script.leg(other, leg.LegReinvited(held(other))) == [
        ToLeg(other, leg.RejectReinvite(491, "Request Pending"))
    ]
    # And the far end, which sees the same glare from its side, refuses ours.
    assert script.leg(other, leg.ReinviteFailed(491, "Request Pending")) == [
        IS[side],
        ToLeg(side, leg.RejectReinvite(491, "Request Pending")),
    ]
    assert script.leg(other, leg.LegReinvited(held(other)))[0] == IS[other]


def test_a_reinvite_before_the_call_is_up_is_pending():
    script = Script().ring()
    assert script.leg(AGENT, leg.LegReinvited(held(AGENT))) == [
        ToLeg(AGENT, leg.RejectReinvite(491, "Request Pending"))
    ]


@from_either
def test_a_reinvite_without_an_offer_is_answered_with_what_runs_and_learns_from_the_ack(side: Side):
    script, other = up(), OTHER[side]
    assert script.leg(side, leg.LegReinvited(b"")) == [ToLeg(side, leg.AnswerReinvite(ours(side)))]
    assert script.leg(side, leg.LegConfirmed(sdp("192.0.2.77", 7000))) == [remote(side, "192.0.2.77", 7000)]
    assert script.leg(side, leg.LegConfirmed(THEIRS[side])) == []  # only the first ACK answers
    assert script.leg(other, leg.LegReinvited(held(other)))[0] == IS[other]


@from_either
@pytest.mark.parametrize("answer", [b"", b"nonsense"])
def test_an_ack_without_a_usable_answer_changes_nothing(side: Side, answer: bytes):
    script = up()
    script.leg(side, leg.LegReinvited(b""))
    assert script.leg(side, leg.LegConfirmed(answer)) == []


@from_either
def test_answers_to_what_was_not_asked_are_ignored(side: Side):
    script, other = up(), OTHER[side]
    assert script.leg(side, leg.ReinviteAnswered(THEIRS[side])) == []
    assert script.leg(side, leg.ReinviteFailed(488, "no")) == []
    script.leg(side, leg.LegReinvited(held(side)))
    assert script.leg(side, leg.ReinviteAnswered(THEIRS[side])) == []
    assert script.leg(side, leg.ReinviteFailed(488, "no")) == []
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other]))[1].side is side


@from_either
def test_an_m_line_that_is_added_later_is_refused_in_place(side: Side):
    script, other = up(), OTHER[side]
    offer = THEIRS[side] + b"m=video 4444 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
    known, reinvite = script.leg(side, leg.LegReinvited(offer))
    assert len(known.command.streams) == 1
    assert b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n" in reinvite.command.offer
    assert reinvite.side is other


@from_either
def test_a_hang_up_in_the_middle_of_a_reinvite_ends_the_call(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(held(side)))
    assert script.leg(side, leg.LegHungUp("bye")) == [ToLeg(other, leg.HangUpLeg("bye")), CLOSE]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other])) == []


@pytest.mark.parametrize("without", [CALLER, AGENT])
def test_keys_can_be_captured_only_where_both_ends_agreed_on_them(without: Side):
    answer = sdp("192.0.2.20", 5000, events=without is not AGENT)
    script = Script(offer=sdp("192.0.2.10", 4000, events=without is not CALLER)).answer(answer)
    assert not script.call.bridge.capturable()
    assert up().call.bridge.capturable()
    assert not Script().ring().call.bridge.capturable()
