"""Renegotiation as scripts: re-INVITEs from either end, refused, crossed, without an offer, and
what stays as it was."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.command import ToLeg, ToMedia
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Deaf, DeafReason, OpenSession, SessionOpened, Side, WidenSession
from media.stream_description import LocalStream
from tests.call_script import CLOSE, IS, OPEN, REFUSED, SESSION, THEIRS, Script, ours, remote, sdp

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
        ToLeg(other, leg_command.ReinviteLeg(ours(other, 2, extra="a=sendonly\r\n"))),
    ]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other] + b"a=recvonly\r\n")) == [
        IS[other],
        ToLeg(side, leg_command.AnswerReinvite(ours(side, 2, extra="a=recvonly\r\n"))),
    ]
    assert script.leg(side, leg.LegConfirmed()) == []
    assert script.leg(side, leg.LegReinvited(THEIRS[side])) == [
        IS[side],
        ToLeg(other, leg_command.ReinviteLeg(ours(other, 3))),
    ]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other])) == [
        IS[other],
        ToLeg(side, leg_command.AnswerReinvite(ours(side, 3))),
    ]


@from_either
def test_the_old_form_of_hold_stops_the_stream_and_crosses(side: Side):
    script, other = up(), OTHER[side]
    offer = (
        THEIRS[side]
        .replace(b"c=IN IP4 192.0.2.10", b"c=IN IP4 0.0.0.0")
        .replace(b"192.0.2.20\r\nt=", b"0.0.0.0\r\nt=")
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
        ToLeg(side, leg_command.RejectReinvite(code, phrase)),
    ]
    # What the other leg is offered next is the session that runs, in a version of its own.
    assert script.leg(other, leg.LegReinvited(b"")) == [
        ToLeg(other, leg_command.AnswerReinvite(ours(other, 3)))
    ]


@from_either
def test_a_reinvite_answered_with_nonsense_is_refused_and_undone(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(held(side)))
    assert script.leg(other, leg.ReinviteAnswered(b"nonsense")) == [
        IS[side],
        ToLeg(side, leg_command.RejectReinvite(488, "Not Acceptable Here")),
        ToLeg(
            other, leg_command.ReinviteLeg(ours(other, 3))
        ),  # it took the new session, so it is offered the old one
    ]
    assert script.leg(other, leg.LegReinvited(held(other))) == [
        ToLeg(other, leg_command.RejectReinvite(491, "Request Pending"))
    ]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other])) == [IS[other]]
    assert script.leg(side, leg.LegReinvited(held(side)))[0] == IS[side]


@from_either
def test_who_was_sent_nothing_new_is_offered_nothing_again(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(sdp("192.0.2.77", 7000)))
    script.leg(side, leg.ReinviteCancelled())
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other])) == []
    assert script.call.bridge.obstacle() is None


@from_either
@pytest.mark.parametrize("taken", [True, False], ids=["taken", "refused"])
def test_a_reinvite_that_is_given_up_is_undone_at_the_other_end(side: Side, taken: bool):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(held(side)))
    assert script.leg(side, leg.ReinviteCancelled()) == [IS[side]]
    assert script.call.bridge.obstacle() is not None
    if taken:
        again = script.leg(other, leg.ReinviteAnswered(THEIRS[other]))
        assert again == [ToLeg(other, leg_command.ReinviteLeg(ours(other, 3)))]
        assert script.leg(other, leg.ReinviteFailed(603, "Decline")) == []
    else:
        assert script.leg(other, leg.ReinviteFailed(603, "Decline")) == []
    assert script.call.bridge.obstacle() is None


@from_either
@pytest.mark.parametrize("offer", [b"nonsense", sdp("phone.example", 4000)])
def test_an_offer_that_cannot_be_relayed_is_refused_and_the_other_leg_not_troubled(side: Side, offer: bytes):
    script = up()
    assert script.leg(side, leg.LegReinvited(offer)) == [
        ToLeg(side, leg_command.RejectReinvite(488, "Not Acceptable Here"))
    ]
    assert script.leg(side, leg.LegReinvited(held(side)))[0] == IS[side]


@from_either
def test_reinvites_that_cross_are_refused_as_pending(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(held(side)))
    assert script.leg(other, leg.LegReinvited(held(other))) == [
        ToLeg(other, leg_command.RejectReinvite(491, "Request Pending"))
    ]
    # And the far end, which sees the same glare from its side, refuses ours.
    assert script.leg(other, leg.ReinviteFailed(491, "Request Pending")) == [
        IS[side],
        ToLeg(side, leg_command.RejectReinvite(491, "Request Pending")),
    ]
    assert script.leg(other, leg.LegReinvited(held(other)))[0] == IS[other]


def test_a_reinvite_before_the_call_is_up_is_pending():
    script = Script().ring()
    assert script.leg(AGENT, leg.LegReinvited(held(AGENT))) == [
        ToLeg(AGENT, leg_command.RejectReinvite(491, "Request Pending"))
    ]


@from_either
def test_a_reinvite_without_an_offer_is_answered_with_what_runs_and_learns_from_the_ack(side: Side):
    script, other = up(), OTHER[side]
    assert script.leg(side, leg.LegReinvited(b"")) == [ToLeg(side, leg_command.AnswerReinvite(ours(side)))]
    assert script.leg(side, leg.LegConfirmed(sdp("192.0.2.77", 7000))) == [remote(side, "192.0.2.77", 7000)]
    assert script.leg(side, leg.LegConfirmed(THEIRS[side])) == []  # only the first ACK answers
    assert script.leg(other, leg.LegReinvited(held(other)))[0] == IS[other]


@from_either
@pytest.mark.parametrize("form", ["sendonly", "inactive", "nowhere"])
def test_a_hold_in_the_ack_of_a_reinvite_without_an_offer_crosses_and_so_does_its_end(side: Side, form: str):
    script, other = up(), OTHER[side]
    nowhere = sdp("0.0.0.0", 4000)
    script.leg(side, leg.LegReinvited(b""))
    learned, follow = script.leg(
        side, leg.LegConfirmed(nowhere if form == "nowhere" else THEIRS[side] + f"a={form}\r\n".encode())
    )
    assert isinstance(learned, ToMedia)
    assert follow.side is other
    assert (b"c=IN IP4 0.0.0.0" if form == "nowhere" else f"a={form}".encode()) in follow.command.offer
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other] + b"a=recvonly\r\n"))[1:] == []
    again = script.leg(side, leg.LegReinvited(b""))
    # A hold of its own is not offered back to it.
    assert again == [ToLeg(side, leg_command.AnswerReinvite(ours(side, 1)))]
    assert script.leg(side, leg.LegConfirmed(THEIRS[side])) == [
        IS[side],
        ToLeg(other, leg_command.ReinviteLeg(ours(other, 3))),
    ]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other])) == [IS[other]]


@from_either
def test_another_codec_in_the_ack_of_a_reinvite_without_an_offer_crosses(side: Side):
    script, other = up(), OTHER[side]
    both = (b"0 101", b"0 8 101")
    script.leg(other, leg.LegReinvited(THEIRS[other].replace(*both)))
    script.leg(side, leg.ReinviteAnswered(THEIRS[side].replace(*both)))
    script.leg(side, leg.LegReinvited(b""))
    [_, follow] = script.leg(
        side, leg.LegConfirmed(THEIRS[side].replace(b"0 101", b"8 101").replace(b"0 PCMU", b"8 PCMA"))
    )
    assert b"RTP/AVP 8 101\r\n" in follow.command.offer
    # Who asked has agreed: nothing to undo.
    assert script.leg(other, leg.ReinviteFailed(488, "Not Acceptable Here")) == []
    assert script.call.bridge.settled


@from_either
def test_until_its_ack_a_reinvite_without_an_offer_keeps_others_waiting(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(b""))
    for each in (b"", held(other)):
        refused = [ToLeg(other, leg_command.RejectReinvite(491, "Request Pending"))]
        assert script.leg(other, leg.LegReinvited(each)) == refused
    script.leg(side, leg.LegConfirmed(held(side)))
    assert script.leg(other, leg.LegReinvited(held(other))) == [
        ToLeg(other, leg_command.RejectReinvite(491, "Request Pending"))
    ]


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


WIDER = b"m=video 4444 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
WIDEN = ToMedia(WidenSession(session=SESSION, streams=2))
WIDE = SessionOpened(
    serial=0,
    caller=(LocalStream("127.0.0.1", 20000), LocalStream("127.0.0.1", 20004)),
    agent=(LocalStream("127.0.0.1", 20002), LocalStream("127.0.0.1", 20006)),
)


@from_either
def test_an_m_line_that_is_added_later_gets_ports_and_crosses(side: Side):
    script, other = up(), OTHER[side]
    assert script.leg(side, leg.LegReinvited(THEIRS[side] + WIDER)) == [WIDEN]
    here, reinvite = script.media(WIDEN, WIDE)
    assert len(here.command.streams) == 2  # type: ignore[union-attr]
    port = {CALLER: b"20006", AGENT: b"20004"}[side]
    assert b"m=video " + port + b" RTP/AVP 96" in reinvite.command.offer  # type: ignore[union-attr]
    there, answer = script.leg(other, leg.ReinviteAnswered(THEIRS[other] + WIDER))
    assert len(there.command.streams) == 2  # type: ignore[union-attr]
    assert b"m=video " + {CALLER: b"20004", AGENT: b"20006"}[side] in answer.command.answer  # type: ignore[union-attr]
    again = script.leg(side, leg.LegReinvited(THEIRS[side] + WIDER))
    assert WIDEN not in again, "it has its ports by now"


@from_either
def test_where_media_has_no_ports_for_an_m_line_that_is_added_it_is_refused_in_place(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(THEIRS[side] + WIDER))
    _, reinvite = script.media(WIDEN, REFUSED)
    assert b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n" in reinvite.command.offer  # type: ignore[union-attr]
    assert reinvite.side is other  # type: ignore[union-attr]


@from_either
def test_who_gives_up_while_media_opens_ports_has_troubled_nobody(side: Side):
    script = up()
    script.leg(side, leg.LegReinvited(THEIRS[side] + WIDER))
    crossing = script.leg(OTHER[side], leg.LegReinvited(THEIRS[OTHER[side]]))
    assert crossing == [ToLeg(OTHER[side], leg_command.RejectReinvite(491, "Request Pending"))]
    assert script.leg(OTHER[side], leg.ReinviteAnswered(THEIRS[OTHER[side]])) == []
    assert script.leg(side, leg.ReinviteCancelled()) == [IS[side]]
    assert script.media(WIDEN, WIDE) == []
    assert script.leg(side, leg.LegReinvited(THEIRS[side]))[-1].side is OTHER[side]  # type: ignore[union-attr]


@from_either
def test_a_hang_up_in_the_middle_of_a_reinvite_ends_the_call(side: Side):
    script, other = up(), OTHER[side]
    script.leg(side, leg.LegReinvited(held(side)))
    assert script.leg(side, leg.LegHungUp("bye")) == [ToLeg(other, leg_command.HangUpLeg("bye")), CLOSE]
    assert script.leg(other, leg.ReinviteAnswered(THEIRS[other])) == []


def test_keys_can_be_captured_only_where_the_customer_s_side_sends_them():
    without = sdp("192.0.2.10", 4000, events=False)
    assert (
        Script(offer=without).answer(sdp("192.0.2.20", 5000, events=False)).call.bridge.obstacle() is not None
    )
    assert Script(offer=without).answer().call.bridge.obstacle() is not None
    assert Script().answer(sdp("192.0.2.20", 5000, events=False)).call.bridge.obstacle() is None
    assert up().call.bridge.obstacle() is None
    assert Script().ring().call.bridge.obstacle() is not None


# --- UPDATE before the answer ---------------------------------------------------------------------


@from_either
def test_before_the_answer_a_peer_may_move_and_nobody_else_hears_of_it(side: Side):
    script = Script()
    script.opened()
    script.leg(script.far, leg.LegProgressed(183, "Session Progress", THEIRS[script.far]))
    moved = sdp("192.0.2.77", 7000)
    assert script.leg(side, leg.LegReinvited(moved, early=True)) == [
        remote(side, "192.0.2.77", 7000),
        ToLeg(side, leg_command.AnswerReinvite(ours(side, 1))),
    ]


@from_either
def test_before_the_answer_codecs_that_the_other_end_has_not_are_refused(side: Side):
    script = Script()
    script.opened()
    script.leg(script.far, leg.LegProgressed(183, "Session Progress", THEIRS[script.far]))
    others = sdp("192.0.2.77", 7000).replace(b"AVP 0 101", b"AVP 8 101").replace(b"0 PCMU", b"8 PCMA")
    for offer in (others, b"nonsense"):
        assert script.leg(side, leg.LegReinvited(offer, early=True)) == [
            ToLeg(side, leg_command.RejectReinvite(488, "Not Acceptable Here"))
        ]


@from_either
def test_an_update_while_the_first_offer_is_open_is_to_come_later(side: Side):
    script = Script()
    script.opened()
    assert script.leg(side, leg.LegReinvited(THEIRS[side], early=True)) == [
        ToLeg(side, leg_command.RejectReinvite(500, ""))
    ]


# --- a call without an offer ----------------------------------------------------------------------


def delayed() -> Script:
    """The far leg, called without an offer, has answered with one."""
    script = Script(offer=b"")
    (invite,) = script.first
    assert invite.command.offer == b""
    assert script.leg(script.far, leg.LegAnswered(THEIRS[AGENT])) == [OPEN]
    return script


def test_the_far_legs_offer_goes_to_the_near_leg_and_its_answer_back_in_the_ack():
    script = delayed()
    assert script.opened() == [IS[AGENT], ToLeg(CALLER, leg_command.AnswerLeg(ours(CALLER, 1)))]
    assert script.call.bridge.obstacle() is not None
    assert script.leg(CALLER, leg.LegConfirmed(THEIRS[CALLER])) == [
        IS[CALLER],
        ToLeg(AGENT, leg_command.ConfirmLeg(ours(AGENT, 1))),
    ]
    assert script.call.bridge.obstacle() is None
    assert script.leg(AGENT, leg.LegReinvited(held(AGENT)))[0] == IS[AGENT]


@pytest.mark.parametrize("answer", [b"", b"nonsense"])
def test_an_ack_without_a_usable_answer_ends_both(answer: bytes):
    script = delayed()
    script.opened()
    bad = leg_command.HangUpLeg("no SDP answer in the ACK")
    assert script.leg(CALLER, leg.LegConfirmed(answer)) == [ToLeg(CALLER, bad), ToLeg(AGENT, bad), CLOSE]
    script.closed()
    assert script.records[0].end == "no SDP answer in the ACK"


@pytest.mark.parametrize("offer", [b"", b"nonsense", sdp("192.0.2.20", 0)])
def test_a_far_end_that_offers_nothing_usable_is_hung_up(offer: bytes):
    script = Script(offer=b"")
    assert script.leg(AGENT, leg.LegAnswered(offer))[:2] == [
        ToLeg(CALLER, leg_command.RejectLeg(502, "Bad Gateway")),
        ToLeg(AGENT, leg_command.HangUpLeg("bad SDP answer")),
    ]


def test_without_ports_for_the_offer_both_legs_end():
    script = delayed()
    assert script.media(OPEN, REFUSED) == [
        ToLeg(CALLER, leg_command.RejectLeg(503, "Service Unavailable")),
        ToLeg(AGENT, leg_command.HangUpLeg("no media ports")),
        CLOSE,
    ]


def test_early_media_of_a_call_without_an_offer_is_only_a_ring():
    script = Script(offer=b"")
    assert script.leg(AGENT, leg.LegProgressed(183, "Session Progress", THEIRS[AGENT])) == [
        ToLeg(CALLER, leg_command.RingLeg(183, "Session Progress"))
    ]


def test_a_caller_that_gives_up_while_media_opens_takes_the_answered_leg_along():
    script = delayed()
    assert script.leg(CALLER, leg.LegFailed(487, "Request Terminated")) == [
        ToLeg(AGENT, leg_command.HangUpLeg("cancelled")),
        CLOSE,
    ]
    assert script.opened() == []


# --- which media a trunk may have -----------------------------------------------------------------

VIDEO = b"m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


def limited(**media: str) -> Script:
    policies = {
        name.replace("_", " "): TrunkPolicy(kinds=frozenset(each.split())) for name, each in media.items()
    }
    return Script(offer=THEIRS[CALLER] + VIDEO, policies=policies)


@pytest.mark.parametrize(
    "media", [{"far_trunk": "audio"}, {"near_trunk": "audio", "far_trunk": "audio video"}]
)
def test_an_m_line_that_one_of_the_trunks_may_not_have_is_refused_in_place(media: dict[str, str]):
    script = limited(**media)
    streams = (LocalStream("127.0.0.1", 20002), LocalStream("127.0.0.1", 20004))
    invite = script.media(
        OpenSession(session=SESSION, streams=2), SessionOpened(serial=0, caller=streams, agent=streams)
    )[1]
    assert b"m=audio 20002 " in invite.command.offer
    assert b"m=video 0 " in invite.command.offer


def test_where_both_may_have_it_it_is_relayed():
    script = limited(near_trunk="audio video", far_trunk="video audio")
    streams = (LocalStream("127.0.0.1", 20002), LocalStream("127.0.0.1", 20004))
    invite = script.media(
        OpenSession(session=SESSION, streams=2), SessionOpened(serial=0, caller=streams, agent=streams)
    )[1]
    assert b"m=video 20004 " in invite.command.offer


def test_a_call_with_nothing_that_may_be_is_refused():
    assert limited(near_trunk="image").first == [
        ToLeg(CALLER, leg_command.RejectLeg(488, "Not Acceptable Here"))
    ]


def test_a_call_in_which_nothing_comes_ends_and_says_so_but_not_on_hold() -> None:
    script = up()
    script.leg(AGENT, leg.LegReinvited(held(AGENT)))
    script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER] + b"a=recvonly\r\n"))
    script.leg(AGENT, leg.LegConfirmed())
    assert script.silent() == []
    script.leg(AGENT, leg.LegReinvited(THEIRS[AGENT]))
    script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))
    script.leg(AGENT, leg.LegConfirmed())
    goodbye = leg_command.HangUpLeg(
        "no media", leg.Carried(headers=(("Reason", 'Q.850;cause=102;text="no media"'),))
    )
    assert script.silent()[:2] == [ToLeg(CALLER, goodbye), ToLeg(AGENT, goodbye)]
    assert script.call.bridge.end == "no media"


def test_who_is_not_heard_is_in_the_view_until_the_call_ends() -> None:
    script = up()
    script.heard(Deaf(reason=DeafReason.OTHER_SOURCE, packets=60, address="192.0.2.66:9"))
    fault = script.view.line_fault
    assert fault is not None
    assert (fault.code, fault.packets, fault.address) == (DeafReason.OTHER_SOURCE, 60, "192.0.2.66:9")
    script.heard(None)
    assert script.view.line_fault is None
    script.heard(Deaf(reason=DeafReason.NO_PACKET))
    script.leg(CALLER, leg.LegHungUp("bye"))
    assert script.view.line_fault is None
