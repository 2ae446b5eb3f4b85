"""Call detail records: what remains of a call. Counts, codes, times and outcomes; no digit but the
last four."""

from __future__ import annotations

import msgspec

from b2bua.call import leg, leg_command
from b2bua.call.cause import q850_cause
from b2bua.call.own_leg import is_own_trunk
from b2bua.call.quality import estimate_mos
from b2bua.call.sdp.codecs import Codec
from b2bua.call.view import CaptureView, PaymentView
from media.events import LegCounters, Side
from provider_adapters.payment import PartiallyApproved, outcome_type


class CaptureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One capture of a call. `outcome` is the outcome's tag, None where nothing was submitted;
    `amount_approved` is set where only a part was approved."""

    transaction_id: str
    amount: int
    currency: str
    stage: str
    payment: str = ""  # its id in the API
    started_by: str = ""  # the names of the tokens that started it, and that took it over
    taken_over_by: tuple[str, ...] = ()
    outcome: str | None = None
    amount_approved: int | None = None
    reference: str | None = None
    brand: str | None = None
    last_four: str | None = None
    reason: str | None = None


def capture_record(payment: CaptureView | PaymentView) -> CaptureRecord:
    """What remains of a payment, as it stands."""
    outcome = payment.outcome
    return CaptureRecord(
        transaction_id=payment.order.transaction_id,
        amount=payment.order.amount,
        currency=payment.order.currency,
        stage=payment.stage.value,
        payment=payment.id,
        started_by=payment.started_by,
        taken_over_by=payment.taken_over_by,
        outcome=outcome_type(outcome) if outcome else None,
        amount_approved=outcome.amount if isinstance(outcome, PartiallyApproved) else None,
        reference=getattr(outcome, "reference", None),
        brand=payment.brand,
        last_four=payment.last_four,
        reason=payment.reason or getattr(outcome, "reason", None),
    )


class LegRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a call. Times in seconds since the epoch; `code` is the final answer to its
    INVITE, `cause` why it ended, as Q.850 has it.

    After a transfer the side's trunk is the newest leg's, its times are the first one's.
    `jitter_ms` and `heard_mos` are of what this side's phone receives, as it says in RTCP;
    `arrival_jitter_ms` and `mos` of what comes from it, as media measured it.
    """

    trunk: str = ""
    invited_at: float | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    code: int | None = None
    cause: int | None = None
    codec: str | None = None
    counters: LegCounters | None = None
    jitter_ms: float | None = None
    arrival_jitter_ms: float | None = None
    mos: float | None = None
    heard_mos: float | None = None


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Times are seconds since the epoch, UTC; `answered_at` is None for a call that
    nobody answered.

    `withheld`: SIP INFOs of the customer's side that the mask kept from the agent.
    """

    call: str
    direction: str
    caller: str
    callee: str
    started_at: float
    answered_at: float | None
    ended_at: float
    end: str
    code: int | None = None
    withheld: int = 0
    transfers: int = 0
    captures: tuple[CaptureRecord, ...] = ()
    caller_leg: LegRecord = LegRecord()
    agent_leg: LegRecord = LegRecord()


def completed(record: CallRecord, payment: PaymentView) -> CallRecord:
    """A record that was written before this payment of the call was final, with what became of
    it."""
    captures = [capture_record(payment) if each.payment == payment.id else each for each in record.captures]
    return msgspec.structs.replace(record, captures=tuple(captures))


class LegTimes(msgspec.Struct):
    """What happened when on one side; as `LegRecord`."""

    trunk: str = ""
    invited_at: float | None = None
    ringing_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    code: int | None = None
    cause: int | None = None


class Ledger(msgspec.Struct):
    """When what happened on either side, noted as it passes: events of the legs, and commands to
    them."""

    transfers: int = 0
    sides: dict[Side, LegTimes] = msgspec.field(default_factory=lambda: {side: LegTimes() for side in Side})

    def event(self, side: Side, event: leg.LegEvent, now: float) -> None:
        """What a leg reported."""
        at = self.sides[side]
        match event:
            case leg.LegInvited():
                at.trunk, at.invited_at = event.trunk, now
            case leg.LegProgressed():
                at.ringing_at = at.ringing_at or now
            case leg.LegAnswered() if at.answered_at is None:
                at.answered_at, at.code = now, 200
            case leg.LegFailed() if at.answered_at is None:
                at.ended_at, at.code = now, event.code
                at.cause = at.cause or q850_cause(event.carried, event.code)
            case leg.LegHungUp():
                at.ended_at = now
                at.cause = at.cause or q850_cause(event.carried, 200)
            case _:
                pass

    def leg_replaced(self, side: Side, trunk: str) -> None:
        """Another leg, on this trunk, took that side's place: a transfer, unless our end was
        there."""
        self.transfers += not is_own_trunk(self.sides[side].trunk)
        self.sides[side].ended_at = self.sides[side].cause = None
        self.sides[side].trunk = trunk

    def left(self, side: Side, now: float) -> None:
        """That leg is another call's from now on."""
        self.sides[side].ended_at = now

    def command(self, side: Side, command: leg_command.LegCommand, now: float) -> None:
        """Note a command to a leg."""
        at = self.sides[side]
        match command:
            case leg_command.InviteLeg():
                at.trunk, at.invited_at, at.ended_at = command.trunk, at.invited_at or now, None
                at.cause = None
            case leg_command.RingLeg():
                at.ringing_at = at.ringing_at or now
            case leg_command.AnswerLeg():
                at.answered_at, at.code = now, 200
            case leg_command.RejectLeg():
                at.ended_at, at.code = now, command.code
                at.cause = at.cause or q850_cause(command.carried, command.code)
            case leg_command.HangUpLeg():
                at.ended_at = at.ended_at or now
                at.cause = at.cause or q850_cause(command.carried, 200)
            case _:
                pass

    def record(self, side: Side, codec: Codec | None, counters: LegCounters | None) -> LegRecord:
        """What is known of a side in the end. `counters`: None where media was lost."""
        at = self.sides[side]
        reported = counters if counters is not None and counters.reports > 0 else None
        received = counters if counters is not None and counters.expected > 0 else None
        jitter_ms = round(reported.jitter * 1000 / codec.clock_rate, 2) if codec and reported else None
        arrival_jitter_ms = round(received.arrival_jitter / 1000, 2) if received else None
        return LegRecord(
            trunk=at.trunk,
            invited_at=at.invited_at,
            ringing_at=at.ringing_at,
            answered_at=at.answered_at,
            ended_at=at.ended_at,
            code=at.code,
            cause=at.cause,
            codec=str(codec) if codec else None,
            counters=counters,
            jitter_ms=jitter_ms,
            arrival_jitter_ms=arrival_jitter_ms,
            mos=estimate_mos(codec, received.missing, received.expected, arrival_jitter_ms or 0.0)
            if received
            else None,
            heard_mos=estimate_mos(codec, reported.lost, reported.sent, jitter_ms or 0.0)
            if reported
            else None,
        )
