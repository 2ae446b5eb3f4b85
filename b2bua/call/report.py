"""Reports a call: as its agents see it (`CallView`), and as a call detail record.

Rule 1: both are derived from the state of the call, never kept beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from b2bua.call import leg
from b2bua.call.agent_phone import AgentPhone
from b2bua.call.bridge import Bridge
from b2bua.call.cdr import CallRecord, Ledger
from b2bua.call.command import CallCommand, ReplaceLeg, ToLeg, ToReplacement
from b2bua.call.deafness import LineFault, line_fault
from b2bua.call.feature_codes import CodeView
from b2bua.call.identity import CallIdentity
from b2bua.call.leg_command import InviteLeg
from b2bua.call.obstacle import Obstacle
from b2bua.call.own_leg import is_own_trunk
from b2bua.call.payment import Payment
from b2bua.call.routing.route import LegTrunks
from b2bua.call.state import BridgeState, MaskState
from b2bua.call.unattended_view import UnattendedView
from b2bua.call.view import CallLegView, CallState, CallView, CaptureView, MaskStage
from media.events import Deaf, LegCounters, SessionClosed, Side

_STATES = {BridgeState.UP: CallState.UP, BridgeState.ENDED: CallState.ENDED}


@lru_cache(maxsize=1024)
def _timestamp(seconds: int) -> str:
    """RFC 3339, UTC. Cached, because each view of a call has the same."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else _timestamp(int(seconds))


@dataclass(slots=True)
class CallReport:
    """What is reported of one call. `started_at`, `ended_at`: seconds since the epoch.

    `counters`, `types`: media's counters and the packets received by payload type, of each side.
    `call_ids`: the SIP Call-IDs of the legs; `stopped`: the fault of Tonewall that stops captures.
    `deaf`: why media receives nothing of the customer; `masked_at`: when it confirmed the mask that
    is on; `keys_passed_at`: when a key was last passed to the agent since there was none."""

    id: str
    caller: str
    callee: str
    direction: str
    started_at: float
    ended_at: float | None = None
    ledger: Ledger = field(default_factory=Ledger)
    identity: CallIdentity = field(default_factory=CallIdentity)
    phone: AgentPhone = field(default_factory=AgentPhone)
    counters: dict[Side, LegCounters] = field(default_factory=dict)
    types: dict[Side, dict[int, int]] = field(default_factory=dict)
    deaf: Deaf | None = None
    masked_at: float | None = None
    keys_passed_at: float | None = None
    call_ids: dict[Side, str] = field(default_factory=dict)
    stopped: Obstacle | None = None
    phone_shown: tuple[tuple[str, str], CodeView | None] = (("", ""), None)
    # What changes in a view, as it was shown last.
    shown: (
        tuple[
            tuple[CallState | None, MaskStage, tuple[bool, int, str | None]],
            tuple[CaptureView | None, LineFault | None, float | None, UnattendedView | None],
            tuple[str, str, str],
            tuple[str, ...],
            float | None,
            tuple[Obstacle | None, CallLegView, CallLegView],
        ]
        | None
    ) = None

    def event(self, side: Side, event: leg.LegEvent, trunks: LegTrunks, now: float) -> None:
        """Note an event of a leg."""
        self.ledger.event(side, event, now)
        self.identity.event(side, event, trunks.policy(side))

    def command(self, command: CallCommand, trunks: LegTrunks, now: float) -> None:
        """Note a command of the call."""
        match command:
            case ToLeg(side, to_leg):
                if isinstance(to_leg, InviteLeg):
                    self.call_ids.pop(side, None)
                self.ledger.command(side, to_leg, now)
                self.identity.invited(side, to_leg)
            case ToReplacement(to_leg):
                self.identity.joining_invited(to_leg)
            case ReplaceLeg(side):
                self.ledger.leg_replaced(side, trunks.trunk(side))
                self.identity.replaced(side)
                self.call_ids.pop(side, None)
                if side is Side.AGENT:
                    self.phone.replaced()
            case _:
                pass

    def session_closed(self, closed: SessionClosed) -> None:
        """Store the counters of the media session."""
        self.counters = {Side.CALLER: closed.caller, Side.AGENT: closed.agent}
        self.types = {Side.CALLER: closed.caller_types, Side.AGENT: closed.agent_types}

    def view(
        self,
        bridge: Bridge,
        payment: Payment,
        unattended: UnattendedView | None = None,
        prompts: tuple[str, ...] = (),
        obstacle: Obstacle | None = None,
    ) -> CallView:
        """The call as its agents see it."""
        extension, agent, reference = self._linked(bridge)
        return CallView(
            id=self.id,
            state=_STATES.get(bridge.state, CallState.RINGING),
            direction=self.direction,
            caller=self.caller,
            callee=self.callee,
            started_at=_timestamp(int(self.started_at)),
            masked=payment.masked,
            mask=payment.mask_stage,
            masked_since=_moment(self.masked_at),
            still_keying=payment.keying,
            keys_dropped=payment.dropped,
            keys_passed_at=_moment(self.keys_passed_at),
            announced_by=payment.announced_by,
            capture=payment.view,
            line_fault=self._line_fault(bridge),
            extension=extension,
            agent=agent,
            reference=reference,
            claim=self.phone.linked[1],
            feature_code=self.phone.newest,
            unattended=unattended,
            prompts=prompts,
            customer_leg=self._leg(Side.CALLER, bridge),
            agent_leg=self._leg(Side.AGENT, bridge),
            not_capturable=obstacle,
        )

    def changed_view(
        self,
        bridge: Bridge,
        payment: Payment,
        unattended: UnattendedView | None,
        now: float,
        prompts: tuple[str, ...] = (),
        obstacle: Obstacle | None = None,
    ) -> CallView | None:
        """The view, where it has changed since the last one."""
        unconfirmed = payment.mask in (MaskState.OPEN, MaskState.ANNOUNCING, MaskState.MASKING)
        if unconfirmed or self.ended_at is not None:
            self.masked_at = None
        elif self.masked_at is None:
            self.masked_at, self.keys_passed_at = now, None
        mask = payment.mask_stage, (payment.keying, payment.dropped, payment.announced_by)
        shown = (
            (_STATES.get(bridge.state), *mask),
            (payment.view, self._line_fault(bridge), self.masked_at, unattended),
            self._linked(bridge),
            prompts,
            self.keys_passed_at,
            (obstacle, self._leg(Side.CALLER, bridge), self._leg(Side.AGENT, bridge)),
        )
        phone = self.phone.linked, self.phone.newest
        if shown == self.shown and phone == self.phone_shown:
            return None
        self.shown, self.phone_shown = shown, phone
        return self.view(bridge, payment, unattended, prompts, obstacle)

    def record(self, bridge: Bridge, payment: Payment, withheld: int, now: float) -> CallRecord:
        """The call detail record as it stands. `withheld`: SIP INFOs that the mask withheld."""
        codecs = {side: bridge.offer_answer.used_codec(side, self.types.get(side, {})) for side in Side}
        caller, agent = (
            self.ledger.record(side, codecs[side], self.counters.get(side))
            for side in (Side.CALLER, Side.AGENT)
        )
        return CallRecord(
            call=self.id,
            direction=self.direction,
            caller=self.caller,
            callee=self.callee,
            started_at=self.started_at,
            answered_at=bridge.answered_at,
            ended_at=now if self.ended_at is None else self.ended_at,
            end=bridge.end or "unfinished",
            code=bridge.code,
            withheld=withheld,
            transfers=self.ledger.transfers,
            captures=payment.all_records(),
            caller_leg=caller,
            agent_leg=agent,
        )

    def _linked(self, bridge: Bridge) -> tuple[str, str, str]:
        """Extension, agent and the order's reference."""
        references = self.identity.references
        extension, agent = self.identity.agent(bridge.route.extensions)
        return extension, self.phone.linked[0] or agent, references[0][1] if references else ""

    def _leg(self, side: Side, bridge: Bridge) -> CallLegView:
        trunks, identity = bridge.trunks, self.identity.of(side)
        is_near = side is bridge.route.near
        trunk = trunks.trunk(side) if is_near or side in trunks.moved or bridge.route.destinations else ""
        return CallLegView(
            call_id=self.call_ids.get(side, ""),
            trunk="" if is_own_trunk(trunk) else trunk,
            number=identity.numbers[0] if identity.numbers else "",
            headers=dict(identity.shown),
        )

    def _line_fault(self, bridge: Bridge) -> LineFault | None:
        if self.deaf is None or self.ended_at is not None:
            return None
        return line_fault(self.deaf, held=bridge.offer_answer.on_hold())
