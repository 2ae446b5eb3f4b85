"""Two calls that a transfer joins, through the switchboard: which one goes on, what its legs are
sent, what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.call import Call
from b2bua.call.leg import LegId
from b2bua.call.routing.router import Pattern, Place, Rule
from b2bua.call.trunk_policy import TrunkPolicy
from b2bua.call.view import NotNow
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.switchboard import Switchboard
from media.events import CaptureState, CloseSession, SessionId, SetMask, SetRemote, Side
from media.stream_description import Interface
from tests.call_script import ORDER, THEIRS, sdp
from tests.unit.b2bua.switchboard.exchange import Exchange

CALLER, AGENT = Side.CALLER, Side.AGENT
PLACES = {"carrier": Place(CALLER), "second": Place(CALLER), "pbx": Place(AGENT)}
RULES = [
    Rule("out", ("second",), frozenset({"pbx"}), callee=Pattern(("second",))),
    Rule("in", ("pbx",), frozenset({"carrier", "second"})),
]
CONSULTED = sdp("192.0.2.40", 8000)
BYE = leg_command.HangUpLeg("transferred")


class Two(Exchange):
    """Call A of a customer with an agent, and call B in which the agent consults somebody on
    another carrier's trunk."""

    def __init__(self, *, limits: dict[str, tuple[int, float]] | None = None) -> None:
        super().__init__(places=PLACES, rules=RULES, limits=limits)
        self.legs: dict[str, LegId] = {}
        self.a = self._call("customer", "agent", "carrier", "500", THEIRS[AGENT])
        self.b = self._call("agent's", "consulted", "pbx", "second", CONSULTED)
        self.wire.sent.clear()
        self.wire.commands.clear()

    def _call(self, near: str, far: str, trunk: str, callee: str, answer: bytes) -> str:
        self.legs |= {near: LegId(near), far: LegId(far)}
        self.wire.new_leg = lambda: LegId(far)  # type: ignore[method-assign]
        self.invite(near, trunk, callee)
        self.says(far, leg.LegAnswered(answer))
        self.says(near, leg.LegConfirmed())
        return self.board.calls()[-1].id

    def entry(self, call_id: str) -> Entry:
        """A call as the switchboard has it."""
        entry = self.board._context.registry.get(call_id)
        assert entry is not None
        return entry

    def call(self, call_id: str) -> Call:
        """The state machine of a call."""
        return self.entry(call_id).call

    def says(self, name: str, event: leg.LegEvent) -> None:
        self.board.on_leg_event(LegId(name), event)

    def refer(self, on: str = "agent", to: str = "agent's") -> None:
        self.says(on, leg.LegReferred("f1", leg.Party("600"), replaces=LegId(to)))

    def commands_to(self, name: str) -> list[leg_command.LegCommand]:
        """The commands to a leg since the last look."""
        said = self.wire.to(name)
        self.wire.sent = [(who, command) for who, command in self.wire.sent if who != name]
        return said

    def answered(self, name: str) -> int:
        """With which code its REFER was answered."""
        [answer] = self.commands_to(name)
        assert isinstance(answer, leg_command.AnswerReferral)
        return answer.code

    async def collecting(self, call: str) -> None:
        await self.board.start_capture(call, ORDER)
        self.tell(call, CaptureState.COLLECTING)


def notified(*codes: int) -> list[leg_command.LegCommand]:
    return [leg_command.NotifyLeg("f1", code, "" if code < 400 else "no") for code in codes]


async def test_the_customer_and_the_one_who_was_consulted_are_joined_and_both_legs_of_the_agent_end() -> None:
    at = Two(limits={"pbx": (2, 0.0), "second": (1, 0.0)})
    at.refer()
    [offer] = at.commands_to("consulted")
    assert isinstance(offer, leg_command.ReinviteLeg)
    assert b"m=audio 20000 " in offer.offer
    assert at.commands_to("agent") == [leg_command.AnswerReferral("f1", 202), *notified(100)]
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    assert at.commands_to("agent") == [*notified(200), BYE]
    assert at.commands_to("agent's") == [leg_command.HangUpLeg(f"joined call {at.a}")]
    assert [command.session for command in at.wire.commands if isinstance(command, CloseSession)] == [at.b]
    remote = next(each for each in at.wire.commands if isinstance(each, SetRemote) and each.side is AGENT)
    assert (remote.session, remote.streams[0].address) == (at.a, "192.0.2.40")
    assert [(record.call, record.end) for record in at.records] == [(at.b, f"joined call {at.a}")]
    assert at.board._context.limiter.calls("pbx") == 0
    assert at.board._context.limiter.calls("second") == 1
    at.says("customer", leg.LegHungUp("bye"))
    assert at.commands_to("consulted") == [leg_command.HangUpLeg("bye")]
    record = at.records[1]
    assert (record.call, record.transfers, record.end) == (at.a, 1, "bye")
    assert (record.caller_leg.trunk, record.agent_leg.trunk) == ("carrier", "second")
    assert at.board._context.registry.legs == len(at.board._context.registry) == 0
    assert [at.board._context.limiter.calls(trunk) for trunk in PLACES] == [0, 0, 0]


async def test_the_session_of_the_leg_that_moves_goes_on_with_its_own_origin() -> None:
    """RFC 3264 section 8: in a dialog the origin stays, and its version rises by one with each
    change."""
    at = Two()
    before = at.call(at.b).bridge.offer_answer.legs[CALLER].local
    session, version = before.split(b"\r\n")[1].split(b" ")[1:3]
    at.refer()
    [offer] = at.commands_to("consulted")
    assert f"o=- {session.decode()} {int(version) + 1} ".encode() in offer.offer  # type: ignore[union-attr]
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    at.says("customer", leg.LegReinvited(THEIRS[CALLER] + b"a=sendonly\r\n"))
    [held] = at.commands_to("consulted")
    assert f"o=- {session.decode()} {int(version) + 2} ".encode() in held.offer  # type: ignore[union-attr]


async def test_a_hold_of_either_call_is_over_once_they_are_joined() -> None:
    at = Two()
    for near, far, answer in (("agent", "customer", THEIRS[CALLER]), ("agent's", "consulted", CONSULTED)):
        at.says(near, leg.LegReinvited(THEIRS[AGENT] + b"a=sendonly\r\n"))
        at.says(far, leg.ReinviteAnswered(answer + b"a=recvonly\r\n"))
    at.wire.sent.clear()
    at.refer()
    [offer] = at.commands_to("consulted")
    assert b"only" not in offer.offer  # type: ignore[union-attr]
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    [offer] = at.commands_to("customer")
    assert b"only" not in offer.offer  # type: ignore[union-attr]
    at.says("customer", leg.ReinviteAnswered(THEIRS[CALLER]))
    assert at.commands_to("agent")[-2:] == [*notified(200), BYE]


async def test_one_who_does_not_take_the_session_stays_with_the_agent() -> None:
    at = Two()
    at.refer()
    at.wire.sent.clear()
    at.says("consulted", leg.ReinviteFailed(488, "no"))
    assert at.commands_to("agent") == notified(488)
    assert at.wire.sent == []
    at.says("agent's", leg.LegReinvited(THEIRS[AGENT]))
    assert isinstance(at.commands_to("consulted")[0], leg_command.ReinviteLeg), "call B goes on"
    at.says("customer", leg.LegHungUp("bye"))
    assert at.commands_to("consulted") == []


async def test_where_the_customers_leg_refuses_the_other_gets_its_session_back() -> None:
    at = Two()
    at.refer()
    at.says("consulted", leg.ReinviteAnswered(CONSULTED + b"a=ptime:30\r\n"))
    at.wire.sent.clear()
    at.says("customer", leg.ReinviteFailed(488, "no"))
    assert at.commands_to("agent") == notified(488)
    [back] = at.commands_to("consulted")
    assert isinstance(back, leg_command.ReinviteLeg)
    assert at.wire.sent == []
    assert at.wire.commands == []
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    [remote] = at.wire.commands
    assert isinstance(remote, SetRemote)
    assert remote.session == at.b
    at.refer()
    assert at.commands_to("agent")[0] == leg_command.AnswerReferral("f1", 202), "and it may be tried again"


async def test_an_agent_who_hangs_up_both_legs_at_once_does_not_stop_it() -> None:
    at = Two()
    at.refer()
    at.says("agent", leg.LegHungUp("bye"))
    at.says("agent's", leg.LegHungUp("bye"))
    assert at.records == []
    at.wire.sent.clear()
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    assert at.wire.sent == []
    at.says("consulted", leg.LegHungUp("bye"))
    assert at.commands_to("customer") == [leg_command.HangUpLeg("bye")]


async def test_where_both_are_gone_and_it_fails_both_calls_end() -> None:
    at = Two()
    at.refer()
    at.says("agent", leg.LegHungUp("bye"))
    at.says("agent's", leg.LegHungUp("bye"))
    at.wire.sent.clear()
    at.says("consulted", leg.ReinviteFailed(488, "no"))
    gone = [leg_command.HangUpLeg("transfer failed")]
    assert (at.commands_to("customer"), at.commands_to("consulted")) == (gone, gone)
    assert len(at.records) == 2


@pytest.mark.parametrize("who", ["consulted", "customer"])
async def test_one_who_hangs_up_while_they_are_joined_ends_his_own_call_only(who: str) -> None:
    at = Two()
    at.refer()
    at.wire.sent.clear()
    at.says(who, leg.LegHungUp("bye"))
    if who == "consulted":
        assert at.commands_to("agent's") == [leg_command.HangUpLeg("bye")]
        assert [type(command) for command in at.commands_to("agent")] == [leg_command.NotifyLeg]
        at.refer(to="agent")
        assert at.answered("agent") == 603  # its own call
        return
    assert at.commands_to("agent") == [leg_command.HangUpLeg("bye")]
    assert at.commands_to("consulted") == []
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    assert isinstance(at.commands_to("consulted")[0], leg_command.ReinviteLeg), "the session of call B again"
    assert [view.id for view in at.board.calls()] == [at.b]


async def test_one_who_never_answers_is_given_up_and_comes_back() -> None:
    at = Two()
    at.refer()
    deadline = at.call(at.a).deadline()
    assert deadline is not None
    at.wire.sent.clear()
    at.board._executor.step(at.entry(at.a), lambda _: at.call(at.a).expire(deadline))
    assert at.commands_to("agent") == [leg_command.NotifyLeg("f1", 408, "")]
    at.says("consulted", leg.ReinviteFailed(408, "no"))
    assert at.commands_to("agent's") == []
    assert len(at.board.calls()) == 2


# --- the mask -------------------------------------------------------------------------------------


async def test_into_a_masked_call_no_carrier_comes_and_a_masked_call_lends_no_leg() -> None:
    at = Two()
    await at.collecting(at.a)
    at.refer()
    assert at.answered("agent") == 603
    at.refer(on="agent's", to="agent")
    assert at.answered("agent's") == 603
    assert len(at.board.calls()) == 2
    assert [command.on for command in at.wire.commands if isinstance(command, SetMask)] == [True]


async def test_a_colleague_of_the_pbx_joins_a_masked_call_and_the_capture_goes_on() -> None:
    """Call B came from the second trunk; its own place was taken by a PBX before: the two kinds are
    distinguished by trunk."""
    at = Two()
    at.call(at.b).bridge.trunks.moved[CALLER] = "pbx"
    await at.collecting(at.a)
    at.refer()
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    [view] = [view for view in at.board.calls() if view.id == at.a]
    assert view.masked
    assert view.capture is not None
    assert view.capture.stage == "collecting"
    assert [command.on for command in at.wire.commands if isinstance(command, SetMask)] == [True]


async def test_where_the_consulted_one_is_keying_a_card_his_call_goes_on_and_the_other_lends() -> None:
    at = Two()
    at.call(at.a).bridge.trunks.moved[CALLER] = "pbx"
    await at.collecting(at.b)
    at.refer()  # the REFER comes in the call that lends
    assert at.commands_to("agent") == [leg_command.AnswerReferral("f1", 202), *notified(100)]
    [offer] = at.commands_to("customer")
    assert isinstance(offer, leg_command.ReinviteLeg)
    at.says("customer", leg.ReinviteAnswered(THEIRS[CALLER]))
    assert at.commands_to("agent") == [*notified(200), leg_command.HangUpLeg(f"joined call {at.b}")]
    assert at.commands_to("agent's") == [BYE]
    assert [record.call for record in at.records] == [at.a]
    assert next(view for view in at.board.calls() if view.id == at.b).masked


async def test_two_captures_are_not_joined_and_none_begins_while_calls_are_joined() -> None:
    at = Two()
    for name, call in (("agent", at.a), ("agent's", at.b)):
        at.refer()
        assert at.commands_to("agent")[0] == leg_command.AnswerReferral("f1", 202)
        with pytest.raises(NotNow):
            await at.board.start_capture(call, ORDER)
        at.says("consulted", leg.ReinviteFailed(488, name))
        at.wire.sent.clear()
    await at.collecting(at.a)
    await at.collecting(at.b)
    at.refer()
    assert at.answered("agent") == 603


# --- what is refused ------------------------------------------------------------------------------


async def test_what_cannot_be_joined_now_is_refused_with_a_code_of_its_own() -> None:
    at = Two()
    at.refer(to="nobody")
    assert at.answered("agent") == 481
    at.refer()
    at.commands_to("agent")
    at.refer(on="agent's", to="agent")
    assert at.answered("agent's") == 491
    at.says("consulted", leg.ReinviteFailed(488, "no"))
    at.wire.sent.clear()
    at.says("agent's", leg.LegReinvited(THEIRS[AGENT] + b"a=sendonly\r\n"))
    at.refer()
    assert at.answered("agent") == 491, "call B is in the middle of a re-INVITE"
    at.says("consulted", leg.ReinviteAnswered(CONSULTED))
    ringing = Two()
    ringing.wire.new_leg = lambda: LegId("rings")  # type: ignore[method-assign]
    ringing.invite("early", "pbx", "second")
    ringing.refer(to="early")
    assert ringing.answered("agent") == 480


async def test_calls_with_other_m_lines_are_not_joined() -> None:
    at = Two()
    offer_answer = at.call(at.b).bridge.offer_answer
    assert offer_answer.set_remote(CALLER, CONSULTED + b"m=video 8002 RTP/AVP 31\r\n")
    at.refer()
    assert at.answered("agent") == 488


async def test_a_leg_whose_packets_come_to_another_address_is_not_moved() -> None:
    at = Two()
    for call in (at.a, at.b):
        bridge = at.call(call).bridge
        elsewhere = TrunkPolicy(interface=Interface(address="127.0.0.9"))
        bridge.trunks.route = replace(bridge.route, policies={"second": elsewhere})
    at.refer()
    assert at.answered("agent") == 488


async def test_calls_that_are_being_joined_are_written_out_and_go_on() -> None:
    at = Two()
    at.refer()
    data = at.board.snapshot(0.0)
    again = Two()
    again.board = Switchboard(again.plan, again.records.append, asyncio.get_running_loop().time)
    again.board.connect(again.wire, again.wire)
    again.board.restore(data, 0.0)
    again.wire.sent.clear()
    again.says("consulted", leg.ReinviteAnswered(CONSULTED))
    assert again.commands_to("agent") == [*notified(200), BYE]
    assert again.commands_to("agent's") == [leg_command.HangUpLeg(f"joined call {at.a}")]


async def test_while_they_are_joined_nothing_else_is_begun_on_their_legs() -> None:
    at = Two()
    at.refer()
    at.wire.sent.clear()
    at.says("agent's", leg.LegReinvited(THEIRS[AGENT]))
    assert at.commands_to("agent's") == [leg_command.RejectReinvite(491, "Request Pending")]
    at.says("agent's", leg.LegReferred("f2", leg.Party("700")))
    assert at.commands_to("agent's") == [leg_command.AnswerReferral("f2", 491)]
    at.says("consulted", leg.LegRequested("r1", "INFO", "text/plain", b"x"))
    assert at.commands_to("consulted") == [leg_command.RespondLeg("r1", 480)]
    at.says(
        "new", leg.LegInvited("pbx", leg.Party("1"), leg.Party("2"), THEIRS[AGENT], replaces=LegId("agent's"))
    )
    assert at.commands_to("new") == [leg_command.RejectLeg(491, "")]


async def test_an_error_in_the_call_that_lends_ends_it_and_the_other_goes_on() -> None:
    at = Two()
    at.refer()
    at.wire.sent.clear()
    at.says("consulted", "no event at all")  # type: ignore[arg-type]
    assert at.commands_to("agent's") == [leg_command.HangUpLeg("internal error")]
    assert [type(command) for command in at.commands_to("agent")] == [leg_command.NotifyLeg]
    assert at.board.health()["calls"] == 1
    at.says("customer", leg.LegHungUp("bye"))
    assert at.board._context.registry.legs == 0


async def test_media_that_dies_meanwhile_ends_both() -> None:
    at = Two()
    at.refer()
    at.lose_media()
    assert {record.call for record in at.records} == {at.a, at.b}
    assert at.board._context.registry.legs == 0
    assert SessionId(at.a) != SessionId(at.b)
