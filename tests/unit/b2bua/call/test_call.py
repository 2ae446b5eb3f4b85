"""Calls as scripts: how two legs become one call, and how both end. Events in, exact commands
out."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.command import ToLeg
from b2bua.call.state import BRIDGE_TRANSITIONS, BridgeEvent, BridgeState, IllegalEvent, step
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import CallState
from media.events import OpenSession, Side
from tests.call_script import (
    CLOSE,
    COUNTERS,
    IS,
    OPEN,
    REFUSED,
    SESSION,
    THEIRS,
    Script,
    ours,
    remote,
    sdp,
)

CALLER, AGENT = Side.CALLER, Side.AGENT
both_ways = pytest.mark.parametrize("near", [CALLER, AGENT], ids=["inbound", "outbound"])
PHASES_OF_A_CALL = {
    "opening": lambda script: None,
    "inviting": lambda script: script.opened(),
    "ringing": lambda script: script.ring(),
    "up": lambda script: script.answer(),
}
in_each_phase = pytest.mark.parametrize("phase", PHASES_OF_A_CALL)


def brought_to(phase: str, near: Side = CALLER) -> Script:
    script = Script(near)
    PHASES_OF_A_CALL[phase](script)
    return script


# --- setup ----------------------------------------------------------------------------------------


@both_ways
def test_a_call_is_opened_in_media_then_invited_rung_answered_and_ended(near: Side):
    script = Script(near)
    far = script.far
    assert script.first == [OPEN]
    assert script.opened() == [
        IS[near],
        ToLeg(
            far,
            leg_command.InviteLeg("far trunk", leg.Party("anna", "Anna"), leg.Party("500"), ours(far), 69),
        ),
    ]
    assert script.leg(far, leg.LegProgressed(180, "Ringing")) == [
        ToLeg(near, leg_command.RingLeg(180, "Ringing"))
    ]
    assert script.leg(far, leg.LegAnswered(THEIRS[far])) == [
        IS[far],
        ToLeg(near, leg_command.AnswerLeg(ours(near))),
    ]
    assert script.leg(near, leg.LegConfirmed()) == []
    assert script.leg(far, leg.LegHungUp("bye")) == [ToLeg(near, leg_command.HangUpLeg("bye")), CLOSE]
    assert not script.call.over
    assert script.closed() == []
    assert script.call.over
    assert [view.state for view in script.shown] == [CallState.RINGING, CallState.UP, CallState.ENDED]
    assert script.view.direction == ("inbound" if near is CALLER else "outbound")


@both_ways
def test_early_media_is_relayed_before_the_answer(near: Side):
    script = Script(near)
    script.opened()
    early = leg.LegProgressed(183, "Session Progress", THEIRS[script.far])
    assert script.leg(script.far, early) == [
        IS[script.far],
        ToLeg(near, leg_command.RingLeg(183, "Session Progress", ours(near))),
    ]
    assert script.view.state is CallState.RINGING
    # The same description again keeps its version (RFC 3264 section 8).
    assert script.leg(script.far, leg.LegAnswered(THEIRS[script.far])) == [
        IS[script.far],
        ToLeg(near, leg_command.AnswerLeg(ours(near))),
    ]


def test_an_answer_without_sdp_is_that_of_the_early_media():
    script = Script()
    script.opened()
    script.leg(AGENT, leg.LegProgressed(183, "Session Progress", THEIRS[AGENT]))
    assert script.leg(AGENT, leg.LegAnswered(b"")) == [
        IS[AGENT],
        ToLeg(CALLER, leg_command.AnswerLeg(ours(CALLER))),
    ]


def test_an_answer_that_differs_from_the_early_media_has_a_higher_version():
    script = Script()
    script.opened()
    script.leg(
        AGENT, leg.LegProgressed(183, "Session Progress", sdp("192.0.2.30", 6000, extra="a=recvonly\r\n"))
    )
    assert script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))[1] == ToLeg(
        CALLER, leg_command.AnswerLeg(ours(CALLER, 2))
    )


def test_early_sdp_that_cannot_be_read_still_rings():
    script = Script()
    script.opened()
    assert script.leg(AGENT, leg.LegProgressed(183, "Session Progress", b"v=1")) == [
        ToLeg(CALLER, leg_command.RingLeg(183, "Session Progress"))
    ]


def test_a_trunk_behind_nat_is_latched_and_the_other_is_not():
    script = Script(policies={"near trunk": TrunkPolicy(latch=True)})
    assert script.opened()[0] == remote(CALLER, "192.0.2.10", 4000, latch=True)
    assert script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))[0] == IS[AGENT]


@pytest.mark.parametrize(
    ("offer", "max_forwards", "code", "phrase"),
    [
        (None, 0, 483, "Too Many Hops"),
        (b"hello", 70, 488, "Not Acceptable Here"),
        (sdp("192.0.2.10", 0), 70, 488, "Not Acceptable Here"),
        (sdp("192.0.2.10", 4000).replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVPF"), 70, 488, "Not Acceptable Here"),
        (sdp("phone.example", 4000), 70, 488, "Not Acceptable Here"),
    ],
    ids=["no hops left", "no sdp", "no media", "DTLS", "a name for an address"],
)
def test_what_cannot_be_relayed_is_refused_at_once_and_recorded(
    offer: bytes | None, max_forwards: int, code: int, phrase: str
):
    script = Script(offer=offer, max_forwards=max_forwards)
    assert script.first == [ToLeg(CALLER, leg_command.RejectLeg(code, phrase))]
    assert script.call.over
    assert [(record.code, record.end) for record in script.records] == [(code, phrase)]


def test_the_last_hop_but_one_is_passed_on_as_none_left():
    script = Script(max_forwards=1)
    assert script.opened()[1].command.max_forwards == 0


@both_ways
@pytest.mark.parametrize(
    ("code", "phrase"), [(486, "Busy Here"), (404, "Not Found"), (408, "Request Timeout")]
)
def test_the_far_legs_refusal_is_the_near_legs(near: Side, code: int, phrase: str):
    script = Script(near).ring()
    assert script.leg(script.far, leg.LegFailed(code, phrase)) == [
        ToLeg(near, leg_command.RejectLeg(code, phrase)),
        CLOSE,
    ]
    script.closed()
    record = script.records[0]  # in our words: a phrase of the peer's may hold anything
    assert (record.code, record.end, record.answered_at) == (code, f"failed with {code}", None)


@both_ways
@in_each_phase
def test_a_caller_who_gives_up_cancels_the_other_leg(near: Side, phase: str):
    script = brought_to(phase, near)
    invited = phase != "opening"
    assert script.leg(near, leg.LegFailed(487, "Request Terminated")) == [
        *([ToLeg(script.far, leg_command.HangUpLeg("cancelled"))] if invited else []),
        CLOSE,
    ]
    assert script.leg(script.far, leg.LegFailed(487, "Request Terminated")) == []
    script.closed()
    assert script.records[0].code == (200 if phase == "up" else 487)


def test_ports_that_come_after_the_caller_gave_up_invite_nobody():
    script = Script()
    script.leg(CALLER, leg.LegFailed(487, "Request Terminated"))
    assert script.opened() == []
    script.closed()
    assert script.call.over


def test_ports_that_are_refused_after_the_caller_gave_up_end_it_once():
    script = Script()
    script.leg(CALLER, leg.LegFailed(487, "Request Terminated"))
    assert script.media(OPEN, REFUSED) == []
    assert not script.records
    assert script.media(CLOSE, REFUSED) == []
    assert len(script.records) == 1


def test_an_answer_that_crosses_the_cancel_is_ignored():
    script = Script().ring()
    script.leg(CALLER, leg.LegFailed(487, "Request Terminated"))
    assert script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT])) == []


@both_ways
@pytest.mark.parametrize("answer", [b"", b"v=0\r\nm=audio", sdp("phone.example", 4000)])
def test_an_answer_that_cannot_be_relayed_ends_both_legs(near: Side, answer: bytes):
    script = Script(near).ring()
    assert script.leg(script.far, leg.LegAnswered(answer)) == [
        ToLeg(near, leg_command.RejectLeg(502, "Bad Gateway")),
        ToLeg(script.far, leg_command.HangUpLeg("bad SDP answer")),
        CLOSE,
    ]


def test_nobody_answers_in_time():
    script = Script().ring()
    assert script.call.deadline() == script.now + 180.0
    assert script.expire(179.9) == []
    assert script.expire(0.1) == [
        ToLeg(CALLER, leg_command.RejectLeg(480, "Temporarily Unavailable")),
        ToLeg(AGENT, leg_command.HangUpLeg("no answer")),
        CLOSE,
    ]
    assert script.call.deadline() is None


def test_an_answered_call_may_last():
    script = Script().answer()
    assert script.call.deadline() is None
    assert script.expire(86_400) == []


def test_an_answered_leg_that_fails_has_hung_up():
    script = Script().answer()
    assert script.leg(AGENT, leg.LegFailed(503, "lost")) == [
        ToLeg(CALLER, leg_command.HangUpLeg("failed with 503")),
        CLOSE,
    ]


def test_an_answer_or_ringing_twice_or_out_of_place_changes_nothing():
    script = Script().answer()
    assert script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT])) == []
    assert script.leg(AGENT, leg.LegProgressed(180, "Ringing")) == []
    assert script.leg(CALLER, leg.LegAnswered(THEIRS[CALLER])) == []
    assert script.leg(CALLER, leg.LegInvited("t", leg.Party("x"), leg.Party("y"), THEIRS[CALLER])) == []
    assert script.call.bridge.state is BridgeState.UP


# --- media fails ----------------------------------------------------------------------------------


@both_ways
def test_a_call_that_gets_no_ports_is_refused(near: Side):
    script = Script(near)
    assert script.media(OPEN, REFUSED) == [
        ToLeg(near, leg_command.RejectLeg(503, "Service Unavailable")),
        CLOSE,
    ]
    script.media(CLOSE, REFUSED)
    assert [(record.code, record.caller_leg.counters) for record in script.records] == [(503, None)]


@both_ways
@in_each_phase
@pytest.mark.parametrize("end", ["media lost", "shut down"])
def test_when_media_is_lost_or_we_stop_both_legs_are_told(near: Side, phase: str, end: str):
    script = brought_to(phase, near)
    refused = leg_command.RejectLeg(503, "Service Unavailable", retry_after=int(end == "media lost"))
    assert (script.media_lost() if end == "media lost" else script.shut_down()) == [
        ToLeg(near, leg_command.HangUpLeg(end) if phase == "up" else refused),
        *([ToLeg(script.far, leg_command.HangUpLeg(end))] if phase != "opening" else []),
        CLOSE,
    ]
    script.closed()
    assert len(script.records) == 1
    assert script.records[0].end == end
    assert script.media_lost() == script.shut_down() == script.expire(1000) == []
    assert len(script.records) == 1


@in_each_phase
def test_a_leg_that_is_lost_in_any_phase_ends_the_other(phase: str):
    script = brought_to(phase)
    assert script.leg(CALLER, leg.LegHungUp("")) == [
        *([ToLeg(AGENT, leg_command.HangUpLeg("hung up"))] if phase != "opening" else []),
        CLOSE,
    ]


def test_only_the_answer_to_close_ends_the_wait_for_the_counters():
    script = Script().answer()
    script.leg(CALLER, leg.LegHungUp("bye"))
    script.media(IS[CALLER], REFUSED)
    script.media(IS[AGENT], REFUSED)
    assert not script.records
    script.closed()
    assert script.records[0].caller_leg.counters == COUNTERS


# --- what remains ---------------------------------------------------------------------------------


def test_the_record_of_a_call_says_who_when_and_how_it_ended():
    script = Script(AGENT)
    script.expire(1.0)
    script.answer()
    script.expire(60.5)
    script.leg(CALLER, leg.LegHungUp("bye"))
    script.expire(0.25)
    script.closed()
    begun = 1_000_000_000.0
    [record] = script.records
    assert (record.call, record.direction, record.caller, record.callee) == (
        "call-1",
        "outbound",
        "anna",
        "500",
    )
    assert (record.started_at, record.answered_at, record.ended_at) == (begun, begun + 1.0, begun + 61.5)
    assert (record.end, record.code, record.captures, record.transfers) == ("bye", 200, (), 0)
    near, far = record.agent_leg, record.caller_leg
    assert (near.trunk, far.trunk) == ("near trunk", "far trunk")
    assert [leg_record.counters for leg_record in (near, far)] == [COUNTERS, COUNTERS]
    assert [leg_record.invited_at for leg_record in (near, far)] == [begun, begun + 1.0]
    assert [leg_record.answered_at for leg_record in (near, far)] == [begun + 1.0] * 2
    assert [leg_record.ended_at for leg_record in (near, far)] == [begun + 61.5] * 2
    assert [leg_record.code for leg_record in (near, far)] == [200, 200]
    assert script.view.started_at == "2001-09-09T01:46:40+00:00"


def test_as_many_streams_are_opened_as_there_are_m_lines():
    script = Script(offer=sdp("192.0.2.10", 4000, extra="m=video 4002 RTP/AVP 96\r\nm=text 0 RTP/AVP 98\r\n"))
    assert [command.command for command in script.first] == [OpenSession(session=SESSION, streams=3)]


# --- the table ------------------------------------------------------------------------------------


def test_an_illegal_event_raises_and_names_both():
    with pytest.raises(IllegalEvent, match="FAR_ANSWERED in IDLE"):
        step(BRIDGE_TRANSITIONS, BridgeState.IDLE, BridgeEvent.FAR_ANSWERED)


def test_every_phase_but_the_first_can_end():
    assert {phase for phase, row in BRIDGE_TRANSITIONS.items() if BridgeState.ENDED in row.values()} == set(
        BridgeState
    ) - {BridgeState.IDLE}
