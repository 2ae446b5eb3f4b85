"""Transfers as scripts: the leg that stays, its media and its mask go on, whoever takes or does not
take the other's place."""

from __future__ import annotations

import base64

from b2bua.call import leg, leg_command
from b2bua.call.command import CallCommand, ReplaceLeg, ToLeg, ToReplacement
from b2bua.call.state import BridgeState
from b2bua.call.transfer.transfer import TransferState
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Side
from tests.call_script import CALLER_IS, CLOSE, THEIRS, Script, ours, remote, sdp

REFER = leg.LegReferred("f1", leg.Party("600"), referred_by="<sip:500@pbx>")
NEW = sdp("192.0.2.30", 6000)
NEW_IS = remote(Side.AGENT, "192.0.2.30", 6000)
OTHER_CODEC = NEW.replace(b"a=rtpmap:0 PCMU/8000", b"a=rtpmap:0 PCMU/8000\r\na=ptime:30")
BYE = ToLeg(Side.AGENT, leg_command.HangUpLeg("transferred"))


def tell(code: int, phrase: str = "") -> ToLeg:
    return ToLeg(Side.AGENT, leg_command.NotifyLeg("f1", code, phrase))


def referred() -> Script:
    script = Script().answer()
    accepted, trying, invite = script.leg(Side.AGENT, REFER)
    assert (accepted, trying) == (ToLeg(Side.AGENT, leg_command.AnswerReferral("f1", 202)), tell(100))
    assert isinstance(invite, ToReplacement)
    command = invite.command
    assert isinstance(command, leg_command.InviteLeg)
    assert (command.trunk, command.callee.user, command.caller.user) == ("far trunk", "600", "anna")
    assert command.offer == ours(Side.AGENT, 2)
    assert command.referred_by == "<sip:500@pbx>"
    return script


def test_a_target_with_the_same_session_takes_the_place_at_once() -> None:
    script = referred()
    assert script.joining(leg.LegProgressed(180, "Ringing")) == [tell(180, "Ringing")]
    assert script.joining(leg.LegAnswered(NEW)) == [tell(200), BYE, ReplaceLeg(Side.AGENT), NEW_IS, CALLER_IS]
    assert script.call.bridge.state is BridgeState.UP
    held = script.leg(Side.AGENT, leg.LegReinvited(NEW))
    assert isinstance(held[-1].command, leg_command.ReinviteLeg)  # type: ignore[union-attr]
    script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER]))
    assert ToLeg(Side.AGENT, leg_command.HangUpLeg("bye")) in script.leg(Side.CALLER, leg.LegHungUp("bye"))
    script.closed()
    assert script.records[0].transfers == 1


def test_a_target_with_another_session_waits_until_the_customers_leg_agreed() -> None:
    script = referred()
    [offer] = script.joining(leg.LegAnswered(OTHER_CODEC))
    assert isinstance(offer, ToLeg)
    assert offer.side is Side.CALLER
    assert b"a=ptime:30" in offer.command.offer  # type: ignore[union-attr]
    moved = script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER]))
    assert moved == [tell(200), BYE, ReplaceLeg(Side.AGENT), NEW_IS, CALLER_IS]


def test_a_hold_before_the_transfer_is_not_the_new_agents() -> None:
    script = Script().answer()
    script.leg(Side.AGENT, leg.LegReinvited(THEIRS[Side.AGENT] + b"a=sendonly\r\n"))
    script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER] + b"a=recvonly\r\n"))
    *_, invite = script.leg(Side.AGENT, REFER)
    assert b"recvonly" not in invite.command.offer  # type: ignore[union-attr]
    [offer] = script.joining(leg.LegAnswered(NEW))  # the customer is taken off hold
    assert b"sendonly" not in offer.command.offer  # type: ignore[union-attr]


def fails(script: Script, commands: list[CallCommand], code: int) -> None:
    """The transferor is notified, and goes on talking."""
    assert [each.command.code for each in commands if tell(0).command.referral and _notifies(each)] == [code]  # type: ignore[union-attr]
    assert script.call.bridge.state is BridgeState.UP
    assert script.call.transfer.state is TransferState.IDLE
    assert script.call.deadline() is None
    assert script.leg(Side.CALLER, leg.LegReinvited(THEIRS[Side.CALLER]))[-1].side is Side.AGENT  # type: ignore[union-attr]


def _notifies(command: CallCommand) -> bool:
    return isinstance(command, ToLeg) and isinstance(command.command, leg_command.NotifyLeg)


def test_a_target_that_refuses_leaves_the_call_as_it_was() -> None:
    script = referred()
    fails(script, script.joining(leg.LegFailed(486, "Busy Here")), 486)


def test_a_target_that_does_not_answer_is_given_up() -> None:
    script = referred()
    commands = script.expire(180.0)
    assert ToReplacement(leg_command.HangUpLeg("no answer")) in commands
    fails(script, commands, 408)


def test_a_session_that_the_customer_refuses_ends_the_target_alone() -> None:
    script = referred()
    script.joining(leg.LegAnswered(OTHER_CODEC))
    commands = script.leg(Side.CALLER, leg.ReinviteFailed(488, "no"))
    assert ToReplacement(leg_command.HangUpLeg("transfer failed")) in commands
    fails(script, commands, 488)


def test_a_target_that_hangs_up_while_the_customer_is_asked_is_undone() -> None:
    script = referred()
    script.joining(leg.LegAnswered(OTHER_CODEC))
    assert script.joining(leg.LegHungUp("bye")) == [tell(480)]
    [back] = script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER]))
    assert b"ptime" not in back.command.offer  # type: ignore[union-attr]
    assert script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER])) == [CALLER_IS]
    assert script.call.transfer.state is TransferState.IDLE
    assert script.call.bridge.state is BridgeState.UP


def test_the_one_who_asked_may_leave_before_the_target_answers() -> None:
    script = referred()
    assert script.leg(Side.AGENT, leg.LegHungUp("bye")) == []
    assert script.leg(Side.CALLER, leg.LegReinvited(THEIRS[Side.CALLER])) == [
        ToLeg(Side.CALLER, leg_command.RejectReinvite(491, "Request Pending"))
    ]
    assert script.joining(leg.LegAnswered(NEW)) == [ReplaceLeg(Side.AGENT), NEW_IS, CALLER_IS]
    info = leg.LegRequested("r1", "INFO", "text/plain", b"x")
    assert script.leg(Side.CALLER, info) == [
        ToLeg(Side.AGENT, leg_command.RequestLeg("r1", "INFO", "text/plain", b"x"))
    ]


def test_where_he_left_and_it_fails_the_call_ends() -> None:
    script = referred()
    script.leg(Side.AGENT, leg.LegHungUp("bye"))
    commands = script.joining(leg.LegFailed(486, "Busy Here"))
    assert commands == [ToLeg(Side.CALLER, leg_command.HangUpLeg("transfer failed")), CLOSE]


def test_a_customer_who_hangs_up_ends_all_three() -> None:
    script = referred()
    commands = script.leg(Side.CALLER, leg.LegHungUp("bye"))
    assert ToLeg(Side.AGENT, leg_command.HangUpLeg("bye")) in commands
    assert ToReplacement(leg_command.HangUpLeg("call ended")) in commands
    assert script.joining(leg.LegFailed(487, "")) == []


def test_a_mask_and_its_capture_survive_and_a_phone_without_events_stops_the_capture() -> None:
    script = Script().answer().collecting()
    script.leg(Side.AGENT, REFER)
    moved = script.joining(leg.LegAnswered(NEW))
    # Nothing is said to the mask.
    assert moved == [tell(200), BYE, ReplaceLeg(Side.AGENT), NEW_IS, CALLER_IS]
    assert (script.view.masked, script.stage) == (True, "collecting")
    script.leg(Side.AGENT, leg.LegReferred("f2", leg.Party("700")))
    script.joining(leg.LegAnswered(sdp("192.0.2.40", 7000, events=False)))
    script.leg(Side.CALLER, leg.ReinviteAnswered(sdp("192.0.2.10", 4000, events=False)))
    assert (script.view.masked, script.stage) == (True, "aborted")


def test_what_is_refused() -> None:
    def answer(script: Script, side: Side, event: leg.LegReferred) -> int:
        [refusal] = script.leg(side, event)
        return refusal.command.code  # type: ignore[union-attr]

    script = referred()
    assert answer(script, Side.AGENT, leg.LegReferred("f2", leg.Party("700"))) == 491
    script = Script().answer()
    assert answer(script, Side.AGENT, leg.LegReferred("f2", leg.Party(""))) == 404
    assert answer(script, Side.AGENT, leg.LegReferred("f2", leg.Party("1"), replaces=leg.LegId("x"))) == 603
    script.collecting()
    assert answer(script, Side.CALLER, leg.LegReferred("f2", leg.Party("700"))) == 603
    assert answer(Script().ring(), Side.CALLER, leg.LegReferred("f2", leg.Party("700"))) == 480


def test_a_consulted_phone_of_the_pbx_is_asked_with_the_replaces_that_came() -> None:
    script = Script().answer()
    *_, invite = script.leg(
        Side.AGENT, leg.LegReferred("f1", leg.Party("600"), replaces_header="a@b;to-tag=1;from-tag=2")
    )
    assert invite.command.replaces == "a@b;to-tag=1;from-tag=2"  # type: ignore[union-attr]


# --- a leg that calls for the place (RFC 3891) ----------------------------------------------------


def called(script: Script, side: Side = Side.AGENT, offer: bytes = NEW) -> list[CallCommand]:
    wanted = leg.LegInvited("far trunk", leg.Party("600"), leg.Party("500"), offer, replaces=leg.LegId("old"))
    return script.call.receive_replaces(side, wanted, script.now)


def test_who_calls_for_a_place_is_answered_with_what_the_leg_that_stays_agreed_to() -> None:
    script = Script().answer()
    assert called(script) == [ToLeg(Side.CALLER, leg_command.ReinviteLeg(ours(Side.CALLER, 2)))]
    answered = script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER]))
    goodbye, seat, *media, answer = answered
    assert (goodbye, seat, media) == (BYE, ReplaceLeg(Side.AGENT), [NEW_IS, CALLER_IS])
    assert isinstance(answer, ToLeg)
    assert answer.side is Side.AGENT
    assert isinstance(answer.command, leg_command.AnswerLeg)
    assert script.leg(Side.AGENT, leg.LegConfirmed()) == []
    assert script.call.bridge.state is BridgeState.UP


def test_one_that_is_refused_a_place_leaves_the_two_talking() -> None:
    script = Script().answer()
    called(script)
    assert script.leg(Side.CALLER, leg.ReinviteFailed(488, "No")) == [
        ToReplacement(leg_command.RejectLeg(488, ""))
    ]
    assert script.call.transfer.state is TransferState.IDLE
    assert script.call.bridge.state is BridgeState.UP


def test_one_that_gives_up_is_forgotten_and_the_leg_that_stays_gets_its_old_session_back() -> None:
    script = Script().answer()
    called(script, offer=OTHER_CODEC)
    assert script.joining(leg.LegFailed(487, "Request Terminated")) == []
    assert script.call.transfer.state is TransferState.UNDOING
    [again] = script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER]))
    assert isinstance(again, ToLeg)
    assert isinstance(again.command, leg_command.ReinviteLeg)
    script.leg(Side.CALLER, leg.ReinviteAnswered(THEIRS[Side.CALLER]))
    assert script.call.transfer.state is TransferState.IDLE


def test_one_that_waits_too_long_for_its_place_is_turned_away() -> None:
    script = Script().answer()
    script.leg(Side.CALLER, leg.LegReinvited(OTHER_CODEC))
    assert called(script) == []
    assert script.call.transfer.state is TransferState.WAITING
    deadline = script.call.transfer.deadline()
    assert deadline is not None
    assert script.call.expire(deadline) == [ToReplacement(leg_command.RejectLeg(408, ""))]


def test_a_leg_that_goes_before_its_ack_keeps_nobody_waiting_for_its_place() -> None:
    script = Script()
    script.opened()
    script.leg(Side.AGENT, leg.LegAnswered(THEIRS[Side.AGENT]))
    assert called(script, Side.CALLER) == []
    assert script.call.transfer.state is TransferState.WAITING
    [offer] = script.leg(Side.CALLER, leg.LegHungUp("no ACK"))
    assert isinstance(offer, ToLeg)
    assert (offer.side, type(offer.command)) == (Side.AGENT, leg_command.ReinviteLeg)


def test_a_place_is_refused_where_its_session_does_not_fit_or_the_call_is_not_up() -> None:
    script = Script().answer()
    for offer in (b"", b"v=1", NEW + b"m=video 7000 RTP/AVP 96\r\n"):
        assert called(script, offer=offer) == [ToReplacement(leg_command.RejectLeg(488, ""))]
    assert called(Script().ring()) == [ToReplacement(leg_command.RejectLeg(486, ""))]
    assert called(referred()) == [ToReplacement(leg_command.RejectLeg(491, ""))]


def test_who_calls_for_a_place_has_srtp_where_the_trunk_of_that_place_has_it() -> None:
    key = base64.b64encode(bytes(range(30))).decode()
    sealed = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n"
    answer = sdp("192.0.2.20", 5000, extra=sealed).replace(b"RTP/AVP", b"RTP/SAVP")
    policies = {"far trunk": TrunkPolicy(encrypted=True)}
    for side, offer, wanted in (
        (Side.CALLER, NEW, True),
        (Side.AGENT, NEW, False),
        (Side.AGENT, answer, True),
    ):
        script = Script(policies=policies).answer(answer)
        refused = called(script, side, offer) == [ToReplacement(leg_command.RejectLeg(488, ""))]
        assert refused is not wanted
