"""One offer at a time: one of ours waits until no other is open and every ACK has come, and nothing
is offered to a leg that is over."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.command import CallCommand, ReleaseLeg, Show, ToLeg, ToMedia, ToReplacement
from b2bua.call.transfer.states import TransferState
from b2bua.call.transfer.transfer import AttendedTransfer
from media.events import SessionOpened, Side, WidenSession
from media.stream_description import LocalStream
from tests.call_script import DONE, MASK, REFUSED, SESSION, THEIRS, UNMASK, Script, sdp

CALLER, AGENT = Side.CALLER, Side.AGENT
VIDEO = b"m=video 4444 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
WIDEN = ToMedia(WidenSession(session=SESSION, streams=2))
STREAMS = (LocalStream("127.0.0.1", 20000), LocalStream("127.0.0.1", 20004))
WIDENED = SessionOpened(serial=0, caller=STREAMS, agent=STREAMS)
REPLACING = sdp("192.0.2.30", 6000)
HELD = THEIRS[AGENT] + b"a=sendonly\r\n"


def up() -> Script:
    return Script().answer()


def calls_for(script: Script, side: Side) -> list[CallCommand]:
    """A leg calls with a Replaces that names this side's."""
    trunk = "near trunk" if side is CALLER else "far trunk"
    invited = leg.LegInvited(trunk, leg.Party("6"), leg.Party("5"), REPLACING, replaces=leg.LegId("old"))
    return script._keep(script.call.receive_replaces(side, invited, script.now))


def offered(commands: list[CallCommand]) -> list[Side]:
    """Who gets an offer of ours."""
    return [
        each.side
        for each in commands
        if isinstance(each, ToLeg) and isinstance(each.command, leg_command.ReinviteLeg)
    ]


# --- a call that is over --------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [WIDENED, REFUSED])
@pytest.mark.parametrize("stops", [False, True])
def test_ports_that_come_after_the_end_are_offered_to_nobody(answer: SessionOpened, stops: bool) -> None:
    script = up()
    assert script.leg(AGENT, leg.LegReinvited(THEIRS[AGENT] + VIDEO)) == [WIDEN]
    script.shut_down() if stops else script.leg(AGENT, leg.LegHungUp("bye"))
    assert script.media(WIDEN, answer) == []
    assert not script.call.bridge.renegotiation.busy


def test_a_transfer_that_waits_for_its_turn_is_not_offered_after_the_end() -> None:
    script = up()
    script.leg(CALLER, leg.LegReinvited(HELD))
    assert calls_for(script, AGENT) == []
    ended = script.leg(CALLER, leg.LegHungUp("bye"))
    assert ToReplacement(leg_command.RejectLeg(480, "")) in ended
    assert offered(ended) == []


def test_a_transfer_that_failed_leaves_no_deadline() -> None:
    script = up()
    calls_for(script, AGENT)
    script.leg(CALLER, leg.ReinviteAnswered(b"nonsense"))
    assert script.call.transfer.state is TransferState.RESTORING
    script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))
    assert script.call.transfer.state is TransferState.IDLE
    assert script.call.deadline() is None


def test_the_asker_hears_no_more_of_a_transfer_once_its_own_call_is_over() -> None:
    script, lender = up(), up()
    lent, _ = lender.call.lend_leg(CALLER, lender.now)
    joining = AttendedTransfer(place=AGENT, lends=CALLER, lender_asked=True)
    script.call.borrow_leg(joining, lent, "f1", script.now)
    [shown] = script.call.replacement_event(leg.LegHungUp("call ended"), script.now)
    assert isinstance(shown, Show)
    assert shown.view.capturable
    assert script.call.transfer.state is TransferState.IDLE


def test_the_asker_hears_that_its_call_s_leg_refused_and_is_given_it_back() -> None:
    script, lender = up(), up()
    lent, _ = lender.call.lend_leg(CALLER, lender.now)
    script.call.borrow_leg(AttendedTransfer(AGENT, CALLER, lender_asked=True), lent, "f1", script.now)
    refused = script.call.replacement_event(leg.ReinviteFailed(488, "no"), script.now)
    shown, *refused = refused[::-1]
    assert isinstance(shown, Show)
    assert refused[::-1] == [ToReplacement(leg_command.NotifyLeg("f1", 488, "no")), ReleaseLeg()]


# --- a call that goes on --------------------------------------------------------------------------


def test_what_a_leg_missed_is_offered_once_the_transfer_that_has_a_reinvite_out_is_over() -> None:
    script = Script()
    script.opened()
    script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))
    script.leg(CALLER, leg.LegConfirmed())
    script.leg(AGENT, leg.LegReinvited(sdp("192.0.2.20", 5000, extra="a=ptime:30\r\n")))
    script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))
    before = script.call.bridge.offer_answer.legs[AGENT].local
    assert offered(calls_for(script, AGENT)) == [CALLER]
    missed = script.leg(AGENT, leg.LegConfirmed(repeated=before.replace(b"RTP/AVP 0 101", b"RTP/AVP 0")))
    assert offered(missed) == []
    script.joining(leg.LegFailed(487, "Request Terminated"))
    assert offered(script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))) == [CALLER]
    assert offered(script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))) == [AGENT]


def test_a_hold_under_the_mask_is_not_offered_while_a_transfer_has_a_reinvite_out() -> None:
    script = up()
    script.start("c1")
    script.media(MASK, DONE)
    script.leg(AGENT, leg.LegReinvited(HELD))
    assert offered(calls_for(script, AGENT)) == [CALLER]
    script.cancel()
    assert offered(script.media(UNMASK, DONE)) == []
    assert script.joining(leg.LegFailed(487, "Request Terminated")) == []
    [back] = script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))
    assert isinstance(back, ToLeg)
    assert isinstance(back.command, leg_command.ReinviteLeg)
    assert b"sendonly" in back.command.offer, "the old session, on hold"
    assert offered(script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))) == []
    assert not script.call.transfer.active


def test_a_leg_that_owes_its_ack_is_offered_nothing_until_it_has_come() -> None:
    script = up()
    calls_for(script, AGENT)
    script.leg(CALLER, leg.ReinviteAnswered(THEIRS[CALLER]))  # the new agent's leg is answered
    assert calls_for(script, CALLER) == []
    assert not script.call.bridge.may_offer
    assert offered(script.leg(AGENT, leg.LegConfirmed())) == [AGENT]


def test_a_hold_that_a_mask_ends_is_offered_once_the_customer_s_leg_has_sent_its_ack() -> None:
    script = Script()
    script.opened()
    script.leg(AGENT, leg.LegAnswered(HELD))
    assert offered(script.start("c1")) == []
    pending = ToLeg(AGENT, leg_command.RejectReinvite(491, "Request Pending"))
    assert script.leg(AGENT, leg.LegReinvited(THEIRS[AGENT])) == [pending]
    assert offered(script.leg(CALLER, leg.LegConfirmed())) == [CALLER]


def test_a_reinvite_that_is_refused_does_not_wait_for_media() -> None:
    """The answer to an offer of ours waits for media; what crosses it is refused before ours
    leaves."""
    script = Script(offer=b"", prompt=False)
    script.leg(AGENT, leg.LegAnswered(THEIRS[AGENT]))
    [described] = script.opened()
    script.media(described, DONE)  # type: ignore[arg-type]
    script.leg(CALLER, leg.LegConfirmed(THEIRS[CALLER]))  # the agent's ACK waits for media
    assert offered(script.leg(CALLER, leg.LegReinvited(THEIRS[CALLER] + b"a=sendonly\r\n"))) == []
    pending = ToLeg(AGENT, leg_command.RejectReinvite(491, "Request Pending"))
    assert script.leg(AGENT, leg.LegReinvited(HELD)) == [pending]
