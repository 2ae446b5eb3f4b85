"""Drives one call as a sans-IO machine: two bridged legs, and the payment in them.

Rule 1: every method takes an event and `now`, and returns commands. It reads no clock and does no
        I/O.
Rule 2: after every event, in this order: what follows in the legs, the end, the view, the record
        (`_finish`).

The caller executes the commands in order, and calls `expire` once `deadline()` has passed:

    call, commands = Call.begin(...)
    commands = call.leg_event(side, event, now)
    commands = call.media_answered(command, answer, now)
    commands = call.expire(now)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from b2bua.call import leg
from b2bua.call.agent_tones import AgentTones
from b2bua.call.bridge import Bridge
from b2bua.call.call_session import CallSession
from b2bua.call.capture_requests import CaptureRequests
from b2bua.call.cdr import CallRecord
from b2bua.call.command import CallCommand, Record, Show, ToLeg, ToMedia
from b2bua.call.guide import Guide
from b2bua.call.loan_requests import LoanRequests
from b2bua.call.mask_note import MaskNotes
from b2bua.call.media_gate import MediaGate
from b2bua.call.media_news import MediaNews
from b2bua.call.mid_call_requests import MidCallRequests, is_key
from b2bua.call.payment import Payment
from b2bua.call.redaction import redacted
from b2bua.call.report import CallReport
from b2bua.call.routing.route import Route
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import BridgeState
from b2bua.call.taken_up import TakenUp
from b2bua.call.transfer.leg_loan import LegLoan
from b2bua.call.transfer.transfer import Transfer
from b2bua.call.transfer_requests import TransferRequests
from b2bua.call.unattended import Unattended
from b2bua.call.view import CallView
from media.events import (
    AgentKeyed,
    AnyAnswer,
    AnyCommand,
    ClaimSession,
    CloseSession,
    Done,
    OpenSession,
    Refused,
    SendKey,
    SessionClaimed,
    SessionClosed,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    SubmitCapture,
    Unanswered,
    WidenSession,
)

_KEYS_LOST = "The phones agreed on a call in which keys do not come as telephone-event. Nothing was charged."
_REMOTE_REFUSED = "The media process could not follow a change of the call. Nothing was charged."


@dataclass(slots=True)
class Call(CaptureRequests, LoanRequests, TransferRequests, MediaNews, TakenUp):
    """One call. `party`: who called."""

    id: str
    party: leg.Party
    bridge: Bridge
    payment: Payment
    transfer: Transfer
    loan: LegLoan
    unattended: Unattended
    report: CallReport
    guide: Guide
    tones: AgentTones
    mid_call_requests: MidCallRequests = field(default_factory=MidCallRequests)
    media_gate: MediaGate = field(default_factory=MediaGate)
    session: CallSession = field(default_factory=CallSession)
    mask_notes: MaskNotes = field(default_factory=MaskNotes)
    recorded: bool = False

    @classmethod
    def begin(
        cls,
        call_id: str,
        invited: leg.LegInvited,
        route: Route,
        origin: int,
        seed: bytes,
        guard_time: float,
        now: float,
    ) -> tuple[Call, list[CallCommand]]:
        """Begin a call with the INVITE that opens it; returns it and its first commands. `origin`,
        `seed`: as in LegDescriptions; `guard_time`: as in Payment."""
        session = SessionId(call_id)
        bridge = Bridge.begin(session, route, origin, seed)
        direction = "inbound" if route.near is Side.CALLER else "outbound"
        payment = Payment(session=session, guard_time=guard_time, charging=route.charging)
        transfer, guide = Transfer(bridge), Guide(session)
        call = cls(
            id=call_id,
            party=invited.caller,
            bridge=bridge,
            payment=payment,
            transfer=transfer,
            loan=LegLoan(bridge),
            unattended=Unattended(bridge, payment, transfer, guide),
            guide=guide,
            tones=AgentTones(session),
            report=CallReport(call_id, invited.caller.user, invited.callee.user, direction, now),
        )
        call.report.event(route.near, invited, bridge.trunks, now)
        if route.destinations:
            call.report.identity.expected(OTHER[route.near], route.destinations[0].callee.user)
        if route.ends is not None:
            call.unattended.begin(route.ends, now)
        commands = call.bridge.receive_invite(invited, now)
        return call, call._finish(commands, now)

    @property
    def ended_at(self) -> float | None:
        """When both legs were over, in seconds since the epoch; None before."""
        return self.report.ended_at

    @property
    def over(self) -> bool:
        """Whether the call can be removed: ended, its session closed, recorded."""
        return self.recorded

    def deadline(self) -> float | None:
        """When `expire` is due."""
        parts = (
            self.bridge, self.payment, self.mid_call_requests, self.transfer, self.media_gate,
            self.unattended, self.session,
        )  # fmt: skip
        return min([time for time in (part.deadline() for part in parts) if time is not None], default=None)

    def expire(self, now: float) -> list[CallCommand]:
        """Let time pass."""
        if self.session.is_over(now):
            return self.media_lost(now)
        released = self._released(self.media_gate.expire(now), now)
        commands = [
            *self.bridge.expire(now),
            *self.payment.expire(now),
            *self.mid_call_requests.expire(now),
            *self.transfer.expire(now),
            *self.unattended.expire(now),
        ]
        return self._finish_exchange(commands, now, released)

    # --- legs -------------------------------------------------------------------------------------

    def leg_event(self, side: Side, event: leg.LegEvent, now: float) -> list[CallCommand]:
        """Take an event of one of the two legs."""
        match event:
            case leg.LegRequested():
                return self._finish(self._receive_request(side, event, now), now)
            case leg.LegResponded():
                masked = self.payment.masked
                return self._finish(self.mid_call_requests.relay_response(side, event, masked=masked), now)
        self.report.event(side, event, self.bridge.trunks, now)
        if isinstance(event, leg.LegFailed | leg.LegHungUp):
            self.media_gate.drop_side(side)
        elif isinstance(event, leg.ReinviteCancelled):
            self.media_gate.drop_reinvite_answer(side)
        elif isinstance(event, leg.LegReferred):
            return self.receive_refer(side, event, now)
        redacted_sides = frozenset({Side.CALLER}) if self.payment.masked else frozenset()
        self.bridge.offer_answer.redacted = redacted_sides
        if side in redacted_sides:
            event = redacted(event)
        over = side is Side.AGENT and isinstance(event, leg.LegFailed | leg.LegHungUp)
        commands = self.agent_gone(now) if over else None
        if commands is None:
            commands = self.transfer.leg_event(side, event)
        if commands is None:
            commands = self.loan.leg_event(side, event)
        if commands is None:
            commands = self.bridge.leg_event(side, event, now)
        return self._finish_exchange(commands, now)

    def _receive_request(self, side: Side, event: leg.LegRequested, now: float) -> list[CallCommand]:
        """Relay INFO or MESSAGE; a key of the customer's may go to media instead."""
        masked, customer_key = self.payment.masked, side is Side.CALLER and is_key(event)
        up = self._are_both_up
        if customer_key and up and not masked:
            self.report.keys_passed_at = now
            stream = None if event.info_package else self.bridge.event_stream()
            if stream is not None:
                return self.mid_call_requests.send_key(event, self.bridge.session, stream, now)
        if side is Side.AGENT and is_key(event) and self.bridge.trunks.policy(side).feature_codes:
            return self.mid_call_requests.ask_about_key(event, self.bridge.session, now)
        keyed = self.payment.info_keyed(event.body) if customer_key else []
        relayed = self.mid_call_requests.relay_request(side, event, now, up=up, masked=masked)
        return [*relayed, *keyed]

    @property
    def _are_both_up(self) -> bool:
        """Whether both legs take requests."""
        return self.bridge.state is BridgeState.UP and not self.transfer.gone and not self.loan.active

    # --- media ------------------------------------------------------------------------------------

    def media_answered(self, command: AnyCommand, answer: AnyAnswer, now: float) -> list[CallCommand]:
        """Take media's answer to one of our commands."""
        commands: list[CallCommand] = []
        match command, answer:
            case SubmitCapture(), Unanswered():
                return []  # it may have been sent: its outcome is asked for
            case SetMask() | SetRemote() | StartCapture() | CloseSession() | ClaimSession(), Unanswered() if (
                self.session.away
            ):
                return []
            case WidenSession(), _:
                return self._finish_exchange(self.bridge.renegotiation.streams_opened(answer), now)
            case _, SessionOpened():
                commands = self.bridge.media_opened(answer, now)
            case _, SessionClosed():
                self.session.closed = True
                self.report.session_closed(answer)
            case SetMask(), Done() | Refused() if self.ended_at is None:
                unmasked = self.mask_notes.refused(command, answer, self.payment)
                commands = [*unmasked, *self.payment.mask_answered(command, answer, now)]
            case SendKey(), _:
                sent, masked = isinstance(answer, Done), self.payment.masked
                commands = self.mid_call_requests.key_answered(command, sent=sent, masked=masked)
            case AgentKeyed(), _:
                kept, up = isinstance(answer, Done) or self.payment.masked, self._are_both_up
                commands = self.mid_call_requests.agent_key_answered(command, now, kept=kept, up=up)
            case StartCapture() | SubmitCapture(), Refused():
                commands = self.payment.capture_refused(command, answer)
            case SetRemote(mark=mark), _:
                released = self._released(self.media_gate.remote_set(mark), now)
                # Media does not receive what the legs agreed on.
                refused = isinstance(answer, Refused)
                stopped = self.payment.stop(_REMOTE_REFUSED) if refused else []
                return self._finish_exchange(stopped, now, released)
            case OpenSession(), Refused():
                commands = self.bridge.media_refused()
            case _, SessionClaimed():
                return self.claimed(answer, now)
            case ClaimSession(), Refused():
                return self.media_lost(now)
            case CloseSession(), Refused():
                # Media has no such session: it never opened it, or was started again.
                self.session.closed = True
        return self._finish(commands, now)

    def shut_down(self, now: float) -> list[CallCommand]:
        """End the call: this Tonewall stops."""
        return self._finish(self.bridge.shut_down(), now)

    # --- reports ----------------------------------------------------------------------------------

    def name_legs(self, call_ids: Mapping[Side, str], now: float) -> list[CallCommand]:
        """Take note of the SIP Call-IDs of the legs, as far as they are known."""
        known = self.report.call_ids | dict(call_ids)
        if known == self.report.call_ids:
            return []
        self.report.call_ids = known
        return self._finish([], now)

    def view(self) -> CallView:
        """The call as its agents see it."""
        unattended = self.unattended.view()
        return self.report.view(
            self.bridge, self.payment, unattended, self.guide.playing, self.shown_obstacle()
        )

    def record(self, now: float) -> CallRecord:
        """The call detail record as it stands; final once the call is `over`."""
        return self.report.record(self.bridge, self.payment, self.mid_call_requests.withheld, now)

    # --- what follows from an event ---------------------------------------------------------------

    def _released(self, commands: list[ToLeg], now: float) -> list[ToLeg]:
        """Note that these commands, which waited for media, are sent now."""
        for to in commands:
            self.bridge.command_sent(to, now)
        return commands

    def _finish_exchange(
        self, commands: list[CallCommand], now: float, released: Sequence[ToLeg] = ()
    ) -> list[CallCommand]:
        """As `_finish`, after an event that may have ended an offer/answer exchange."""
        commands = [*commands, *self.transfer.proceed()]
        if self.bridge.keys_lost():
            commands = [*commands, *self.payment.stop(_KEYS_LOST)]
        return self._finish(commands, now, released)

    def _finish(
        self, commands: list[CallCommand], now: float, released: Sequence[ToLeg] = ()
    ) -> list[CallCommand]:
        """Append whatever follows from the new state. `released`: commands that are sent before."""
        self.bridge.mask_changed(self.payment.masked)
        if self.bridge.may_offer and not self.loan.active and not self.transfer.active:
            commands = [*commands, *self.bridge.renegotiation.offer_outdated()]
        if self.bridge.state is not BridgeState.ENDED:
            self.guide.alone = self.unattended.speaks
            commands = [*commands, *self.guide.follow(self.payment.view, self.payment.form)]
            if not self.unattended.active:
                commands = [*commands, *self.tones.follow(self.payment.view, self.payment.form)]
            commands = [*commands, *self.unattended.follow(now)]
        if self.bridge.state is BridgeState.ENDED and self.ended_at is None:
            self.report.ended_at = now
            self.payment.call_ended()
            self.mid_call_requests.drop()
            self.unattended.call_ended()
            commands = [*commands, *self.transfer.call_ended(), *self.loan.call_ended()]
        commands = [*commands, *self.mask_when_answered(now)]
        commands = [*released, *self.media_gate.hold_back(commands, now)]
        for command in commands:
            self.report.command(command, self.bridge.trunks, now)
            if isinstance(command, ToMedia) and isinstance(command.command, SetMask):
                self.mask_notes.asked(command.command, self.payment)
        if self.session.away:
            commands = self.session.pass_on(commands)
            self.guide.lost()
        gone = self._gone_side()
        if gone is not None:  # a leg that is over takes no command
            commands = [each for each in commands if not (isinstance(each, ToLeg) and each.side is gone)]
        prompts, unattended = self.guide.playing, self.unattended.view()
        view = self.report.changed_view(
            self.bridge, self.payment, unattended, now, prompts, self.shown_obstacle()
        )
        if view is not None:
            commands = [*commands, Show(view)]
        closed = self.session.closed or not self.bridge.opened
        if closed and self.payment.settled and self.ended_at is not None and not self.recorded:
            self.recorded = True
            commands = [*commands, Record(self.record(now))]
        return commands

    def _gone_side(self) -> Side | None:
        """The side whose leg is over, while the call goes on without it."""
        if self.transfer.gone:
            return self.transfer.side
        return OTHER[self.loan.side] if self.loan.gone else None
