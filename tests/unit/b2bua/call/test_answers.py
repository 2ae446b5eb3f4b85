"""An answer waits until media has heard where its other end is: nobody is answered before he
is listened to."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.media_gate import TIMEOUT
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.snapshot import restore_call, snapshot_call
from b2bua.call.view import CallState, NotNow
from media.events import CloseSession, SetRemote, Side
from tests.call_script import CLOSE, DONE, IS, REFUSED, THEIRS, Script, ours, sdp

CALLER, AGENT = Side.CALLER, Side.AGENT
ANSWER = ToLeg(CALLER, leg_command.AnswerLeg(ours(CALLER)))
BYE = leg_command.HangUpLeg("bye")
HELD = THEIRS[CALLER] + b"a=sendonly\r\n"
ON_HOLD = THEIRS[AGENT] + b"a=recvonly\r\n"


def asked(commands: list[CallCommand]) -> ToMedia:
    """The only command: where a peer is, and that something waits for it."""
    [command] = commands
    assert isinstance(command, ToMedia)
    assert isinstance(command.command, SetRemote)
    assert command.command.mark
    return command


def answered() -> tuple[Script, ToMedia]:
    """The agent has answered, and media does not know of it yet."""
    script = Script(prompt=False)
    script.opened()
    return script, asked(script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT])))


def up() -> Script:
    script, waits_for = answered()
    script.media(waits_for, DONE)
    script.leg(CALLER, leg.LegConfirmed())
    return script


def test_a_call_is_answered_and_up_once_media_has_heard_of_it():
    script, waits_for = answered()
    assert script.view.state is CallState.RINGING
    with pytest.raises(NotNow, match="not answered yet"):
        script.start("c1")
    assert script.media(waits_for, DONE) == [ANSWER]
    assert script.view.state is CallState.UP
    assert script.call.deadline() is None


@pytest.mark.parametrize("refuses", [True, False], ids=["media refuses", "media is slow"])
def test_a_call_is_answered_all_the_same_where(refuses: bool):
    script, waits_for = answered()
    if refuses:
        assert script.media(waits_for, REFUSED) == [ANSWER]
    else:
        assert script.expire(TIMEOUT - 0.1) == []
        assert script.expire(0.1) == [ANSWER]
        assert script.media(waits_for, DONE) == []
    assert script.view.state is CallState.UP


def test_who_gives_up_meanwhile_was_never_answered():
    script, waits_for = answered()
    assert script.leg(CALLER, leg.LegFailed(487, "Request Terminated")) == [
        ToLeg(AGENT, leg_command.HangUpLeg("cancelled")),
        CLOSE,
    ]
    assert script.media(waits_for, DONE) == []
    script.closed()
    [record] = script.records
    assert (record.answered_at, record.code, record.end) == (None, 487, "cancelled")


def test_a_far_leg_that_hangs_up_meanwhile_refuses_the_near_one():
    script, _ = answered()
    assert script.leg(AGENT, leg.LegHungUp("bye")) == [
        ToLeg(CALLER, leg_command.RejectLeg(480, "Temporarily Unavailable")),
        CLOSE,
    ]
    script.closed()
    [record] = script.records
    assert (record.answered_at, record.code) == (None, 480)


def test_media_that_dies_meanwhile_refuses_the_near_leg_and_ends_the_far_one():
    script, _ = answered()
    assert script.media_lost() == [
        ToLeg(CALLER, leg_command.RejectLeg(503, "Service Unavailable", retry_after=1)),
        ToLeg(AGENT, leg_command.HangUpLeg("media lost")),
        ToMedia(CloseSession(session=script.call.bridge.session)),
    ]


def test_early_media_waits_and_the_answer_waits_behind_it():
    script = Script(prompt=False)
    script.opened()
    early = asked(script.leg(AGENT, leg.LegProgressed(183, "Session Progress", THEIRS[AGENT])))
    assert script.leg(AGENT, leg.LegProgressed(180, "Ringing")) == []
    last = asked(script.leg(AGENT, leg.LegAnswered(b"")))
    assert script.media(early, DONE) == [
        ToLeg(CALLER, leg_command.RingLeg(183, "Session Progress", ours(CALLER))),
        ToLeg(CALLER, leg_command.RingLeg(180, "Ringing")),
    ]
    assert script.media(last, DONE) == [ANSWER]


def test_an_answer_to_a_reinvite_waits_and_another_one_meanwhile_is_refused():
    script = up()
    script.leg(CALLER, leg.LegReinvited(HELD))
    waits_for = asked(script.leg(AGENT, leg.ReinviteAnswered(ON_HOLD)))
    assert script.leg(AGENT, leg.LegReinvited(THEIRS[AGENT])) == [
        ToLeg(AGENT, leg_command.RejectReinvite(491, "Request Pending"))
    ]
    assert script.media(waits_for, DONE) == [
        ToLeg(CALLER, leg_command.AnswerReinvite(ours(CALLER, 2, extra="a=recvonly\r\n")))
    ]
    assert script.leg(AGENT, leg.LegReinvited(THEIRS[AGENT]))[1:] == [
        ToLeg(CALLER, leg_command.ReinviteLeg(ours(CALLER, 3)))
    ]


def test_a_reinvite_that_is_given_up_meanwhile_is_undone_on_the_other_leg():
    script = up()
    script.leg(CALLER, leg.LegReinvited(HELD))
    waits_for = asked(script.leg(AGENT, leg.ReinviteAnswered(ON_HOLD)))
    assert script.leg(CALLER, leg.ReinviteCancelled()) == [
        IS[CALLER],
        ToLeg(AGENT, leg_command.ReinviteLeg(ours(AGENT, 3))),
    ]
    assert script.media(waits_for, DONE) == []
    assert script.leg(AGENT, leg.ReinviteAnswered(THEIRS[AGENT])) == [IS[AGENT]]
    assert not script.call.bridge.renegotiation.busy


@pytest.mark.parametrize("side", [CALLER, AGENT], ids=["customer", "agent"])
def test_the_end_of_a_leg_waits_for_nothing(side: Side):
    script = up()
    script.leg(CALLER, leg.LegReinvited(HELD))
    waits_for = asked(script.leg(AGENT, leg.ReinviteAnswered(ON_HOLD)))
    assert script.leg(side, leg.LegHungUp("bye")) == [ToLeg(OTHER[side], BYE), CLOSE]
    assert script.media(waits_for, DONE) == []
    script.closed()
    assert script.call.deadline() is None


def test_an_ack_with_an_answer_waits():
    script = Script(offer=b"", prompt=False)
    script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))
    offered = asked(script.opened())
    [answer] = script.media(offered, DONE)
    assert answer == ANSWER
    confirms = asked(script.leg(CALLER, leg.LegConfirmed(THEIRS[CALLER])))
    assert script.media(confirms, DONE) == [ToLeg(AGENT, leg_command.ConfirmLeg(ours(AGENT)))]


def test_a_leg_that_called_for_anothers_place_is_answered_once_media_knows_it():
    script = up()
    invited = leg.LegInvited(
        "pbx", leg.Party("600"), leg.Party("500"), sdp("192.0.2.30", 6000), replaces=leg.LegId("old")
    )
    script._keep(script.call.receive_replaces(AGENT, invited, script.now))
    commands = script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))
    remotes = [
        each.command for each in commands if isinstance(each, ToMedia) and isinstance(each.command, SetRemote)
    ]
    assert not [
        each
        for each in commands
        if isinstance(each, ToLeg) and isinstance(each.command, leg_command.AnswerLeg)
    ]
    [answer] = script.media(remotes[-1], DONE)
    assert isinstance(answer, ToLeg)
    assert isinstance(answer.command, leg_command.AnswerLeg)


def test_what_waits_is_written_out_and_waits_in_the_next_process_too():
    script, waits_for = answered()
    script.call = restore_call(snapshot_call(script.call, 5.0), 5.0)
    assert script.media(waits_for, DONE) == [ANSWER]
