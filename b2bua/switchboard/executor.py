"""Executes the commands of calls: on their legs, in media, in views and records.

Rule 1: an error in one call ends that call, never another.
Rule 2: what a command causes comes back as an event, in its turn. Only what a call lends or borrows
        reaches the other call at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec

from b2bua.call.command import (
    CallCommand,
    FeatureCode,
    NoteMask,
    Record,
    ReleaseLeg,
    ReplaceLeg,
    Show,
    ToBorrower,
    ToDesk,
    ToLeg,
    ToMedia,
    ToReplacement,
)
from b2bua.call.leg import LegEvent, LegFailed, LegHungUp, LegId
from b2bua.call.leg_command import HangUpLeg, InviteLeg, LegCommand, RejectLeg
from b2bua.call.own_end import obey
from b2bua.call.own_leg import is_own_leg, is_own_trunk, new_own_leg
from b2bua.call.view import CallState, CaptureStage
from b2bua.ladder.words import NoteKind
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.linking import CallLinking
from media.events import AnyCommand, CloseSession, SetMask, Side
from tonewall.log import get_logger

log = get_logger(__name__)


class Executor:
    """Moves the calls of one switchboard, and executes what they ask for."""

    def __init__(self, context: SwitchboardContext) -> None:
        self._context = context
        self.linking = CallLinking(context)

    def step(self, entry: Entry, happen: Callable[[float], list[CallCommand]]) -> None:
        """Move a call and execute its commands. `happen` takes the time and returns them. An error
        ends the call."""
        if self._context.registry.get(entry.call.id) is not entry:
            return  # it was removed while this waited for its turn
        self._context.turn(entry.call.id)
        try:
            self._execute(entry, happen(self._context.clock()))
        except Exception as error:
            self._fail(entry, error)
        self._context.turn("")

    def execute(self, entry: Entry, commands: list[CallCommand]) -> None:
        """Execute commands that a call has returned already."""
        self.step(entry, lambda _: commands)

    def deliver(self, entry: Entry, side: Side | None, event: LegEvent) -> None:
        """Give a call an event of one of its legs; without a side, of the replacement."""
        if side is None:
            self.step(entry, lambda now: entry.call.replacement_event(event, now))
        else:
            self.step(entry, lambda now: entry.call.leg_event(side, event, now))

    def send_to_leg(self, leg: LegId, command: LegCommand) -> None:
        """Give the SIP engine a command, or our own end."""
        if is_own_leg(leg):
            for event in obey(command):
                self._context.run_queue.run(partial(self._deliver_to_leg, leg, event))
            return
        assert self._context.engine is not None
        self._context.engine.execute_command(leg, command)

    def schedule(self, entry: Entry) -> None:
        """Set the timer to the call's deadline."""
        due = entry.call.deadline()
        if due == entry.due:
            return
        entry.cancel_timer()
        entry.due = due
        if due is not None:
            delay = max(0.0, due - self._context.clock())
            entry.timer = asyncio.get_running_loop().call_later(delay, self._expire, entry)

    def record_unfinished(self, entry: Entry) -> None:
        """Record a call that is removed before it is over. Where it is being charged, the record
        waits for the outcome."""
        payment, record = entry.call.payment, entry.call.record(self._context.clock())
        if entry.call.recorded:
            return
        if payment.view is not None and payment.view.stage is CaptureStage.CHARGING:
            self._context.payments.leave_call(payment.view.id, record)
        else:
            self._context.payments.record_call(record)

    # --- commands ---------------------------------------------------------------------------------

    def _execute(self, entry: Entry, commands: list[CallCommand]) -> None:
        self._context.keep(entry, commands)
        for command in commands:
            match command:
                case ToLeg(side, InviteLeg() as invite):
                    self._invite(entry, side, invite)
                case ToLeg(side, asked):
                    if side in entry.legs:
                        self.send_to_leg(entry.legs[side], asked)
                case ToMedia(media_command):
                    self._send_to_media(media_command)
                case ToDesk(request):
                    self._context.carry_out(entry, request)
                case Show(view):
                    self._context.feed.publish(view)
                    self._context.payments.observe(view)
                    self._context.ladders.note_view(view)
                    self.linking.observe(entry)
                case FeatureCode(code):
                    self._context.on_feature_code(entry, code)
                case NoteMask():
                    self._context.mask_audit.note(entry.call.id, command)
                case Record(record):
                    self._context.payments.record_call(record)
                    end = record.end[:80]
                    log.info("call", call=entry.call.id, state="ended", reason=end, code=record.code)
                case ToReplacement(InviteLeg() as invite):
                    self._invite(entry, None, invite)
                case ToReplacement(asked):
                    self._send_to_replacement(entry, asked)
                case ReplaceLeg(side):
                    self._replace_leg(entry, side)
                case ReleaseLeg():
                    self._release_leg(entry)
                case ToBorrower(event):
                    self._send_to_borrower(entry, event)
        if not entry.call.over:
            self._name_legs(entry)
        self.schedule(entry)
        if entry.call.over:
            self._remove(entry)
        else:
            self._context.kept(entry)

    def _name_legs(self, entry: Entry) -> None:
        """Let the call know its Call-IDs. The engine has one from the moment it sends an INVITE."""
        engine = self._context.engine
        if engine is None:
            return
        found = {side: engine.call_id(leg) for side, leg in entry.legs.items() if not is_own_leg(leg)}
        known = {side: call_id for side, call_id in found.items() if call_id}
        named = entry.call.name_legs(known, self._context.clock())
        if named:
            self._execute(entry, named)

    def _send_to_media(self, command: AnyCommand) -> None:
        assert self._context.media is not None
        if isinstance(command, SetMask):
            self._context.mask_audit.asked(command)
        self._context.media.send(command)

    def _invite(self, entry: Entry, side: Side | None, invite: InviteLeg) -> None:
        """Open a new leg. Where its trunk is full, it fails as if the peer had refused it."""
        context = self._context
        assert context.engine is not None
        if is_own_trunk(invite.trunk):
            own = new_own_leg()
            context.registry.place_leg(entry, side, own)
            self.send_to_leg(own, invite)
            return
        leg = context.engine.new_leg()
        context.registry.place_leg(entry, side, leg)
        context.ladders.add_leg(entry.call.id, leg, side or entry.call.transfer.side, invite.trunk)
        retry_after = context.limiter.take(invite.trunk, leg, context.clock())
        if not retry_after:
            self.send_to_leg(leg, invite)
            return
        context.ladders.note_not_opened(leg, NoteKind.FULL)
        failed = LegFailed(503, "Service Unavailable", retry_after=retry_after)
        context.run_queue.run(partial(self._deliver_to_leg, leg, failed))

    def _deliver_to_leg(self, leg: LegId, event: LegEvent) -> None:
        found = self._context.registry.find_leg(leg)
        if found is not None:
            self.deliver(*found, event)

    # --- transfers --------------------------------------------------------------------------------

    def _send_to_replacement(self, entry: Entry, command: LegCommand) -> None:
        lender = entry.lender
        if lender is not None:
            self.step(lender, lambda now: lender.call.borrower_command(command, now))
        elif entry.replacement is not None:
            self.send_to_leg(entry.replacement, command)
            if isinstance(command, RejectLeg):
                self._context.registry.drop_replacement(entry)

    def _send_to_borrower(self, entry: Entry, event: LegEvent) -> None:
        """Deliver an event of a loaned leg, once this call is done."""
        borrower = entry.borrower
        if borrower is not None:
            if isinstance(event, LegHungUp):
                self._context.registry.return_leg(borrower)
            self._context.run_queue.run(lambda: self.deliver(borrower, None, event))

    def _release_leg(self, entry: Entry) -> None:
        lender = self._context.registry.return_leg(entry)
        if lender is not None:
            self.step(lender, lender.call.leg_returned)

    def _replace_leg(self, entry: Entry, side: Side) -> None:
        lender = self._context.registry.replace_leg(entry, side)
        log.info("call", call=entry.call.id, side=side.value, state="transferred")
        self.linking.replaced(entry, side)
        if lender is not None:
            self.step(lender, lambda now: lender.call.leg_kept(entry.call.id, now))

    # --- time and the end -------------------------------------------------------------------------

    def _expire(self, entry: Entry) -> None:
        entry.timer = entry.due = None
        self._context.run_queue.run(lambda: self.step(entry, entry.call.expire))

    def _fail(self, entry: Entry, error: Exception) -> None:
        """End a call in which there was an error of ours: its legs, its view and its session. A
        mask stays on until media has closed the session."""
        log.error("call_failed", call=entry.call.id, exc_info=error)
        for leg in entry.all_legs():
            self.send_to_leg(leg, HangUpLeg("internal error"))
        if self._context.media is not None:
            self._context.media.send(CloseSession(session=entry.call.bridge.session))
        entry.call.payment.call_ended()
        self.record_unfinished(entry)
        self._remove(entry)
        view = msgspec.structs.replace(entry.call.view(), state=CallState.ENDED)
        self._context.payments.observe(view)
        charging = view.capture is not None and view.capture.stage is CaptureStage.CHARGING
        # Followers see a charge under way as a payment: nothing more comes of this call.
        self._context.feed.publish(msgspec.structs.replace(view, capture=None) if charging else view)

    def _remove(self, entry: Entry) -> None:
        self._context.registry.remove(entry)
        self._context.forget(entry.call.id)
        self.linking.leave(entry)
        self._context.payments.notices.forget(entry.call.id)
        self._context.mask_audit.forget(entry.call.id)
        # After an error it may have borrowed a leg still, or lent one.
        self._release_leg(entry)
        self._send_to_borrower(entry, LegHungUp("internal error"))
