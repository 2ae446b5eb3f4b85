"""A call: two bridged legs and the payment in them, as one sans-IO machine.

Rule 1: every method takes what happened and `now`, and returns what is to be done; it reads no
        clock and does no I/O.
Rule 2: what the agents see (`view`) and what remains (`Record`) is derived from the state, never
        kept beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from b2bua.call import leg
from b2bua.call.bridge import Bridge
from b2bua.call.capture_requests import CaptureRequests
from b2bua.call.cdr import CallRecord, Ledger
from b2bua.call.command import CallCommand, Record, ReplaceLeg, Show, ToLeg, ToReplacement
from b2bua.call.deafness import LineFault, line_fault
from b2bua.call.media_gate import MediaGate
from b2bua.call.mid_call_requests import MidCallRequests, is_key
from b2bua.call.payment import Payment
from b2bua.call.redaction import redacted
from b2bua.call.routing.route import Route
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import BridgeState
from b2bua.call.transfer.leg_loan import LegLoan
from b2bua.call.transfer.transfer import AttendedTransfer, Transfer
from b2bua.call.view import CallState, CallView, CaptureView, MaskStage
from media.events import (
    AnyAnswer,
    AnyCommand,
    AnyNews,
    CaptureChanged,
    CloseSession,
    Deaf,
    Done,
    KeyingChanged,
    LegCounters,
    LineChanged,
    OpenSession,
    Refused,
    SendKey,
    SessionClosed,
    SessionId,
    SessionOpened,
    SessionSilent,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    SubmitCapture,
    WidenSession,
)

_KEYS_LOST = "The phones agreed on a call in which keys do not come as telephone-event. Nothing was charged."
_NOT_TOLD = "The media process could not follow a change of the call. Nothing was charged."
_STATES = {BridgeState.UP: CallState.UP, BridgeState.ENDED: CallState.ENDED}


@lru_cache(maxsize=1024)
def _moment(seconds: int) -> str:
    """Seconds since the epoch as text; of a call it is asked for with every change of its view."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass(slots=True)
class Call(CaptureRequests):
    """One call. `started_at` and every `now` are seconds since the epoch."""

    id: str
    caller: str
    callee: str
    started_at: float
    bridge: Bridge
    payment: Payment
    transfer: Transfer
    loan: LegLoan
    party: leg.Party  # who called
    mid_call_requests: MidCallRequests = field(default_factory=MidCallRequests)
    media_gate: MediaGate = field(default_factory=MediaGate)
    ended_at: float | None = None
    closed: bool = False  # media has answered CloseSession, or is gone
    recorded: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    _counters: dict[Side, LegCounters] = field(default_factory=dict)
    # Packets of each payload type that came.
    _types: dict[Side, dict[int, int]] = field(default_factory=dict)
    _deaf: Deaf | None = None
    _shown: tuple[CallState | None, MaskStage, bool, CaptureView | None, LineFault | None] | None = (
        None  # what changes in a view
    )

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
        """A call from the INVITE that opens it, and what to do first."""
        session = SessionId(call_id)
        bridge = Bridge.of(session, route, origin, seed)
        call = cls(
            id=call_id,
            caller=invited.caller.user,
            callee=invited.callee.user,
            started_at=now,
            bridge=bridge,
            payment=Payment(session=session, guard_time=guard_time),
            transfer=Transfer(bridge),
            loan=LegLoan(bridge),
            party=invited.caller,
        )
        call.ledger.event(route.near, invited, now)
        commands = call.bridge.invited(invited, now)
        return call, call._after(commands, now)

    @property
    def over(self) -> bool:
        """Whether it can be forgotten: ended, its session closed, recorded."""
        return self.recorded

    def deadline(self) -> float | None:
        """When `expire` is due next."""
        parts = self.bridge, self.payment, self.mid_call_requests, self.transfer, self.media_gate
        return min([time for time in (part.deadline() for part in parts) if time is not None], default=None)

    def expire(self, now: float) -> list[CallCommand]:
        late = self._sent(self.media_gate.expire(now), now)
        commands = [*self.bridge.expire(now), *self.payment.expire(now), *self.mid_call_requests.expire(now)]
        return self._settled([*commands, *self.transfer.expire(now)], now, late)

    # --- legs and media ---------------------------------------------------------------------------

    def leg_event(self, side: Side, event: leg.LegEvent, now: float) -> list[CallCommand]:
        if isinstance(event, leg.LegRequested):
            up = self.bridge.state is BridgeState.UP and not self.transfer.gone and not self.loan.active
            to = self.bridge.events_to() if side is Side.CALLER and up and not self.payment.masked else None
            if to is not None and is_key(event) and not event.info_package:
                return self._after(self.mid_call_requests.send_key(event, self.bridge.session, to, now), now)
            keyed = self.payment.info_keyed(event.body) if side is Side.CALLER and is_key(event) else []
            relayed = self.mid_call_requests.relay_request(
                side, event, now, up=up, masked=self.payment.masked
            )
            return self._after([*relayed, *keyed], now)
        if isinstance(event, leg.LegResponded):
            return self._after(
                self.mid_call_requests.relay_response(side, event, masked=self.payment.masked), now
            )
        self.ledger.event(side, event, now)
        if isinstance(event, leg.LegFailed | leg.LegHungUp):
            self.media_gate.drop_side(side)
        elif isinstance(event, leg.ReinviteCancelled):
            self.media_gate.drop_reinvite_answer(side)
        if isinstance(event, leg.LegReferred) and self.loan.active:
            return self.refuse_referral(side, event.referral, 491, now)
        if isinstance(event, leg.LegReferred):
            masked = self.payment.masked
            return self._after(self.transfer.referred(side, event, self.party, now, masked=masked), now)
        self.bridge.offer_answer.redacted = frozenset({Side.CALLER}) if self.payment.masked else frozenset()
        if side in self.bridge.offer_answer.redacted:
            event = redacted(event)
        commands = self.transfer.leg_event(side, event)
        if commands is None:
            commands = self.loan.leg_event(side, event)
        if commands is None:
            commands = self.bridge.leg_event(side, event, now)
        return self._settled(commands, now)

    def replaced(self, side: Side, invited: leg.LegInvited, now: float) -> list[CallCommand]:
        """A new leg calls that wants this side's place (RFC 3891)."""
        if self.loan.active:
            return [ToReplacement(leg.RejectLeg(491, ""))]
        return self._settled(self.transfer.replaced(side, invited, now, masked=self.payment.masked), now)

    def joining_event(self, event: leg.LegEvent, now: float) -> list[CallCommand]:
        """Of the leg that is to take another's place."""
        return self._settled(self.transfer.joining_event(event), now)

    def refuse_referral(self, side: Side, referral: str, code: int, now: float) -> list[CallCommand]:
        return self._after([ToLeg(side, leg.AnswerReferral(referral, code))], now)

    # --- two calls that a transfer joins ----------------------------------------------------------

    def joined(
        self, joining: AttendedTransfer, lent: LoanedLeg, referral: str, now: float
    ) -> list[CallCommand]:
        """A leg of another call is to have a place in this one."""
        return self._settled(self.transfer.joined(joining, lent, referral, now), now)

    def lend(self, side: Side, now: float) -> tuple[LoanedLeg, list[CallCommand]]:
        """The leg of this side is to have a place in another call: what that one has to know, and
        what to do first."""
        return self.loan.lend(side), self._after(self.mid_call_requests.answer_all(), now)

    def asked(self, command: leg.LegCommand, now: float) -> list[CallCommand]:
        """What the other call has to say to the legs of this one."""
        return self._after(self.loan.asked(command), now)

    def given_back(self, now: float) -> list[CallCommand]:
        """The other call does not need the leg."""
        return self._settled(self.loan.given_back(), now)

    def kept(self, by: str, now: float) -> list[CallCommand]:
        """The leg has its place in the other call: this one is over."""
        self.ledger.left(self.loan.side, now)
        return self._after(self.loan.kept(by), now)

    def _sent(self, waited: list[ToLeg], now: float) -> list[ToLeg]:
        """What need not wait for media any more is on its way."""
        for to in waited:
            self.bridge.sent(to, now)
        return waited

    def _settled(
        self, commands: list[CallCommand], now: float, waited: Sequence[ToLeg] = ()
    ) -> list[CallCommand]:
        commands = [*commands, *self.transfer.proceed()]
        if self.bridge.keys_lost():
            commands = [*commands, *self.payment.stop(_KEYS_LOST)]
        return self._after(commands, now, waited)

    def media_answered(self, command: AnyCommand, answer: AnyAnswer, now: float) -> list[CallCommand]:
        """Media's answer to one of our commands."""
        commands: list[CallCommand] = []
        match command, answer:
            case WidenSession(), _:
                return self._settled(self.bridge.renegotiation.streams_opened(answer), now)
            case _, SessionOpened():
                commands = self.bridge.media_opened(answer, now)
            case _, SessionClosed():
                self.closed = True
                self._counters = {Side.CALLER: answer.caller, Side.AGENT: answer.agent}
                self._types = {Side.CALLER: answer.caller_types, Side.AGENT: answer.agent_types}
            case SetMask(), Done() | Refused() if self.ended_at is None:
                commands = self.payment.mask_answered(command, answer, now)
            case SendKey(), _:
                taken = isinstance(answer, Done)
                commands = self.mid_call_requests.key_answered(
                    command, sent=taken, masked=self.payment.masked
                )
            case StartCapture() | SubmitCapture(), Refused():
                commands = self.payment.capture_refused(command, answer)
            case SetRemote(mark=mark), _:
                waited = self._sent(self.media_gate.remote_set(mark), now)
                # What was agreed on is not what media listens to.
                refused = isinstance(answer, Refused)
                return self._settled(self.payment.stop(_NOT_TOLD) if refused else [], now, waited)
            case OpenSession(), Refused():
                commands = self.bridge.media_refused()
            case CloseSession(), Refused():
                self.closed = (
                    # Media does not know the session: it never opened it, or was started again.
                    True
                )
            case _:
                pass
        return self._after(commands, now)

    def media_news(self, news: AnyNews, now: float) -> list[CallCommand]:
        if isinstance(news, CaptureChanged):
            return self._after(self.payment.changed(news), now)
        if isinstance(news, KeyingChanged):
            self.payment.keying_changed(news)
            return self._after([], now)
        if isinstance(news, LineChanged):
            self._deaf = news.deaf
            return self._after([], now)
        if isinstance(news, SessionSilent):
            return self._after(self.bridge.media_silent(), now)
        return self._after(self.bridge.media_lost(), now)

    def _line_fault(self) -> LineFault | None:
        return (
            None
            if self._deaf is None or self.ended_at is not None
            else line_fault(self._deaf, held=self.bridge.offer_answer.on_hold())
        )

    def media_lost(self, now: float) -> list[CallCommand]:
        self.payment.media_lost()
        self.closed = True
        return self._after(self.bridge.media_lost(), now)

    def shut_down(self, now: float) -> list[CallCommand]:
        return self._after(self.bridge.shut_down(), now)

    # --- what is seen of it -----------------------------------------------------------------------

    @property
    def direction(self) -> str:
        return "inbound" if self.bridge.route.near is Side.CALLER else "outbound"

    def view(self) -> CallView:
        return CallView(
            id=self.id,
            state=_STATES.get(self.bridge.state, CallState.RINGING),
            direction=self.direction,
            caller=self.caller,
            callee=self.callee,
            started_at=_moment(int(self.started_at)),
            masked=self.payment.masked,
            mask=self.payment.mask_stage,
            still_keying=self.payment.keying,
            capture=self.payment.view,
            line_fault=self._line_fault(),
        )

    # --- inside -----------------------------------------------------------------------------------

    def _after(
        self, commands: list[CallCommand], now: float, waited: Sequence[ToLeg] = ()
    ) -> list[CallCommand]:
        """Whatever follows from the new state: the end, a changed view, the record. `waited`: what
        has left before it."""
        self.bridge.mask_changed(self.payment.masked)
        if self.bridge.may_offer and not self.loan.active and not self.transfer.active:
            commands += self.bridge.renegotiation.offer_outdated()
        if self.bridge.state is BridgeState.ENDED and self.ended_at is None:
            self.ended_at = now
            self.payment.call_ended()
            self.mid_call_requests.drop()
            commands = [*commands, *self.transfer.call_ended(), *self.loan.call_ended()]
        commands = [*waited, *self.media_gate.hold_back(commands, now)]
        for command in commands:
            if isinstance(command, ToLeg):
                self.ledger.command(command.side, command.command, now)
            elif isinstance(command, ReplaceLeg):
                self.ledger.seated(command.side, self.bridge.trunks.trunk(command.side))
        gone = self._gone()
        if gone is not None:  # to a leg that is over there is nothing to say
            commands = [each for each in commands if not (isinstance(each, ToLeg) and each.side is gone)]
        payment = self.payment
        changing = (
            _STATES.get(self.bridge.state),
            payment.mask_stage,
            payment.keying,
            payment.view,
            self._line_fault(),
        )
        if changing != self._shown:
            self._shown = changing
            commands = [*commands, Show(self.view())]
        closed = self.closed or not self.bridge.opened
        if closed and self.payment.settled and self.ended_at is not None and not self.recorded:
            self.recorded = True
            commands = [*commands, Record(self.record(now))]
        return commands

    def _gone(self) -> Side | None:
        """The side whose leg has hung up, while the call goes on without it."""
        if self.transfer.gone:
            return self.transfer.side
        return OTHER[self.loan.side] if self.loan.gone else None

    def record(self, now: float) -> CallRecord:
        """What is known of the call by now; the whole of it once the call is `over`."""
        codecs = {side: self.bridge.offer_answer.used_codec(side, self._types.get(side, {})) for side in Side}
        return CallRecord(
            call=self.id,
            direction=self.direction,
            caller=self.caller,
            callee=self.callee,
            started_at=self.started_at,
            answered_at=self.bridge.answered_at,
            ended_at=now if self.ended_at is None else self.ended_at,
            end=self.bridge.end or "unfinished",
            code=self.bridge.code,
            withheld=self.mid_call_requests.withheld,
            transfers=self.ledger.transfers,
            captures=self.payment.all_records(),
            caller_leg=self.ledger.record(Side.CALLER, codecs[Side.CALLER], self._counters.get(Side.CALLER)),
            agent_leg=self.ledger.record(Side.AGENT, codecs[Side.AGENT], self._counters.get(Side.AGENT)),
        )
