"""Connects every call with the events that move it: of the SIP engine, of media and of agents.

Rule 1: one event at a time (`RunQueue`). What a call then asks for, `Executor` executes.
Rule 2: no policy is here: calls decide.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable

from b2bua.call.attended_join import JoinCandidate, plan_join
from b2bua.call.call import Call
from b2bua.call.cdr import CallRecord
from b2bua.call.leg import LegConfirmed, LegEvent, LegFailed, LegHungUp, LegId, LegInvited, LegReferred
from b2bua.call.leg_command import RejectLeg
from b2bua.call.routing.limits import Limiter
from b2bua.call.service_view import Fault, ServiceView
from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CallView, PaymentView
from b2bua.ladder.ladders import Ladders
from b2bua.records.payments import PaymentTable
from b2bua.records.store import RecordsFault
from b2bua.switchboard.code_audit import CodeAudit
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.fault_views import FaultViews
from b2bua.switchboard.faults import Faults
from b2bua.switchboard.feature_keys import FeatureKeys
from b2bua.switchboard.handover import Handover
from b2bua.switchboard.interfaces import Engine, Media, Plan, Reconciler
from b2bua.switchboard.link_service import LinkPolicy
from b2bua.switchboard.mask_audit import MaskAudit
from b2bua.switchboard.payment_notices import NoticePolicy
from b2bua.switchboard.payment_provider import with_offers
from b2bua.switchboard.payment_requests import PaymentRequests
from b2bua.switchboard.payments import Payments
from b2bua.switchboard.registry import Registry
from b2bua.switchboard.run_queue import RunQueue
from b2bua.switchboard.status import health, trunks
from b2bua.switchboard.unattended_desk import UnattendedDesk, form_of_referral
from b2bua.switchboard.view_feed import Feed
from media.events import (
    AnyAnswer,
    AnyCommand,
    AnyNews,
    CaptureChanged,
    ChargeResolved,
    Counted,
    CountSessions,
    Done,
    MaskWentOff,
    MaskWentOn,
    ResolveCharge,
    SetRemote,
    Side,
)
from provider_adapters.reconciler.messages import Findings
from tonewall.log import get_logger
from tonewall.tokens import identifier, token

log = get_logger(__name__)


class Switchboard(PaymentRequests, Handover):
    """All calls, on one event loop. Implements `CallDesk` for the API."""

    def __init__(
        self,
        plan: Plan,
        record: Callable[[CallRecord], None],
        clock: Callable[[], float],
        ladders: Ladders | None = None,
        records: Callable[[], RecordsFault | None] = lambda: None,
        payments: PaymentTable | None = None,
        links: LinkPolicy | None = None,
        notices: NoticePolicy | None = None,
    ) -> None:
        """`record` stores a call record; `records` reports what is wrong with them; `links`: how
        payment links are opened and handed over; `notices`: who hears how payments go; `clock`
        gives seconds since the epoch and never runs backwards."""
        self._plan = plan
        feed, limiter, ladders = Feed(), Limiter(plan.limits, plan.elsewhere), ladders or Ladders()
        table = payments or PaymentTable()
        all_payments = Payments(table, clock, self._publish_payment, record, links, notices)
        self._context = SwitchboardContext(
            clock, limiter, ladders, Registry(limiter, ladders), feed, all_payments, RunQueue(),
            plan.agent_charging, plan.forms, plan.pseudonyms, MaskAudit(plan.recorder),
        )  # fmt: skip
        self._faults = Faults(
            lambda: self._context.has_media, records, clock, all_payments.fault,
            lambda: all_payments.reconciliation.passed_by, all_payments.link_service.fault, plan.audit,
            all_payments.notices.fault, plan.certificate, plan.installed.fault, plan.sign_ins, plan.identity,
            plan.webhooks, plan.drain.fault, plan.shared,
        )  # fmt: skip
        self._fault_views = FaultViews(self._faults, feed, self._queue_all)
        self._executor = Executor(self._context)
        self._features = FeatureKeys(self, self._context, self._executor, plan)
        self._audit = CodeAudit(plan.recorder)
        desk = UnattendedDesk(
            self, self._executor, self._context.run_queue, all_payments.prepared, self._audit
        )
        self._context.carry_out = desk.carry_out
        self._counted: Counted | None = None
        self._link_calls()

    def connect(self, engine: Engine, media: Media, reconciler: Reconciler | None = None) -> None:
        """Connect what executes commands, before the first event."""
        self._context.engine, self._context.media, self._context.reconciler = engine, media, reconciler

    def replan(self, plan: Plan) -> None:
        """Treat new calls by another plan, whose settings alone are others; calls that are up go on
        as they are."""
        self._plan = plan
        self._context.limiter.change(plan.limits)
        self._context.agent_charging = plan.agent_charging

    # --- from the SIP engine ----------------------------------------------------------------------

    def on_leg_event(self, leg: LegId, event: LegEvent) -> None:
        """Take an event of a leg."""
        self._context.run_queue.run(
            lambda: (
                self._begin_call(leg, event) if isinstance(event, LegInvited) else self._leg_event(leg, event)
            )
        )

    def _begin_call(self, leg: LegId, event: LegInvited) -> None:
        context = self._context
        near = self._plan.router.side(event.trunk)
        if near is None or not context.has_media:
            self._executor.send_to_leg(leg, RejectLeg(503, "Service Unavailable"))
            return
        now = context.clock()
        # One that replaces a leg belongs to a call that is up.
        retry_after = self._plan.drain.retry_after(now) if event.replaces is None else 0
        retry_after = retry_after or context.limiter.take(event.trunk, leg, now)
        if retry_after:
            refusal = RejectLeg(503, "Service Unavailable", retry_after=retry_after)
            self._executor.send_to_leg(leg, refusal)
            return
        if event.replaces is not None:
            self._begin_replacement(leg, event, event.replaces)
            return
        decision = self._plan.router.decide(event)
        near = decision.near(near)
        route = self._plan.route(near, event.trunk, decision)
        call_id, origin, seed = identifier(8), int(token(7), 16), secrets.token_bytes(32)
        guard_time = self._plan.guard_time
        call, commands = Call.begin(call_id, event, route, origin, seed, guard_time, now)
        call.report.stopped = self._fault_views.stopped
        entry = Entry(call, {near: leg})
        context.registry.add(entry)
        context.ladders.begin_call(leg, near, event.trunk, call.view())
        log.info("call", call=call.id, leg=leg, trunk=event.trunk, route=decision.rule, state="invited")
        self._executor.execute(entry, commands)

    def _begin_replacement(self, leg: LegId, event: LegInvited, replaced: LegId) -> None:
        """Offer a call a leg whose INVITE names one of its legs (RFC 3891)."""
        context = self._context
        entry, side = context.registry.find_leg(replaced) or (None, None)
        if entry is None or side is None or entry.call.transfer.active:
            context.limiter.release(leg)
            self._executor.send_to_leg(leg, RejectLeg(481 if entry is None else 491, ""))
            return
        context.registry.place_leg(entry, None, leg)
        context.ladders.join_leg(entry.call.id, leg, side, event.trunk)
        log.info("leg", call=entry.call.id, side=side.value, leg=leg, state="replacement_offered")
        self._executor.step(entry, lambda now: entry.call.receive_replaces(side, event, now))

    def _leg_event(self, leg: LegId, event: LegEvent) -> None:
        if isinstance(event, LegFailed | LegHungUp):
            self._context.limiter.release(leg)
        found = self._context.registry.find_leg(leg)
        if found is None:
            return
        entry, side = found
        name = side.value if side is not None else "joining"
        log.debug("leg", call=entry.call.id, leg=leg, side=name, kind=type(event).__name__)
        if side is not None and isinstance(event, LegReferred) and event.replaces is not None:
            self._join_calls(entry, side, event, event.replaces)
        elif isinstance(event, LegReferred) and (ends := form_of_referral(self._plan, entry, side, event)):
            step = entry.call.receive_refer_to_form
            self._executor.step(entry, lambda now: step(Side.AGENT, event, ends, now))
        else:
            if isinstance(event, LegConfirmed) and not (event.answer or event.repeated):
                self._context.acknowledged(entry)
            self._executor.deliver(entry, side, event)

    def _join_calls(self, entry: Entry, side: Side, event: LegReferred, replaced: LegId) -> None:
        """Transfer to another call of ours: one of the two lends its leg to the other."""
        registry, referral = self._context.registry, event.referral
        named = registry.find_candidate(replaced)
        found = plan_join(JoinCandidate(entry.call, side), named, self._plan.router.side)
        if isinstance(found, int):
            code = found
            self._executor.step(entry, lambda now: entry.call.refuse_referral(side, referral, code, now))
            return
        plan = found
        host, lender = registry.lend(entry, replaced, lender_asked=plan.lender_asked)
        log.info("call", call=lender.call.id, leg=replaced, state="joined")
        loaned, commands = lender.call.lend_leg(plan.lends, self._context.clock())
        self._executor.execute(lender, commands)
        host.call.report.identity.joining = lender.call.report.identity.of(plan.lends)
        self._executor.step(host, lambda now: host.call.borrow_leg(plan, loaned, referral, now))

    # --- from media -------------------------------------------------------------------------------

    def on_media_answer(self, command: AnyCommand, answer: AnyAnswer) -> None:
        """Take media's answer to a command."""
        if isinstance(answer, Counted):
            self._counted = answer
            self._faults.counted(answer)
            self._fault_views.publish()
            return
        if isinstance(command, ResolveCharge):
            if isinstance(answer, ChargeResolved) and answer.outcome is not None:
                key = command.charge.idempotency_key
                self._publish_outcome(self._context.payments.news(key, answer.outcome))
            return
        if isinstance(answer, Done) and isinstance(command, SetRemote) and not command.mark:
            return  # as expected, and it moves no call
        self._context.ladders.note_media(command, answer)
        entry = self._context.registry.get(command.session)
        if entry is not None:
            self._queue_one(entry, lambda call, now: call.media_answered(command, answer, now))

    def on_media_news(self, news: AnyNews) -> None:
        """Take an event of a media session."""
        entry = self._context.registry.get(news.session)
        if entry is not None:
            self._queue_one(entry, lambda call, now: call.media_news(news, now))
        elif isinstance(news, CaptureChanged):
            self._context.payments.settle(news)
        elif isinstance(news, MaskWentOn | MaskWentOff):
            self._context.mask_audit.note_orphan(news)

    def on_media_state(self, connected: bool) -> None:
        """Take note that media is connected, or was lost."""
        self._faults.new_media()
        if connected:
            log.info("media_connected")
            self.claim_sessions()
            self.count()
            return
        self._counted = None
        self._fault_views.publish()
        if self.media_is_renewed:
            log.info("media_leaves", calls=len(self._context.registry))
        else:
            log.error(
                "media_lost",
                calls=len(self._context.registry),
                why="the media process ended; calls that are up wait for the next one, new ones are refused",
            )
        self._queue_all(Call.media_away)
        self._context.payments.lose_media()

    def count(self) -> None:
        """Ask media what it holds, for the health check, and for outcomes that are open."""
        payments, media = self._context.payments, self._context.media
        payments.look()
        if media is not None and media.connected:
            media.send(CountSessions())
            for question in payments.questions():
                media.send(question)
        for late in payments.given_up():
            log.error("payment_outcome_not_found", payment=late.capture)
            self._publish_outcome(late)

    # --- from the reconciler ----------------------------------------------------------------------

    def on_findings(self, findings: Findings) -> None:
        """Take what the reconciler found of unknown payments."""
        self._context.payments.reconciliation.learn(findings)
        self._context.payments.links.learn(findings)

    def ask_reconciler(self) -> None:
        """Ask what became of unknown payments, of links, and of what was done about payments, every
        second or so."""
        payments = self._context.payments
        keys = (*payments.reconciliation.due(), *payments.links.due())
        if self._context.reconciler is not None:
            # Without any as well: its answer has counts for the health check.
            self._context.reconciler.inquire(keys)
            payments.follow_ups.ask(self._context.reconciler)
            payments.links.ask(self._context.reconciler)

    def _publish_payment(self, view: PaymentView) -> None:
        self._context.feed.publish_payment(with_offers(self._context.reconciler, view))
        entry, outcome = self._context.registry.get(view.call), view.outcome
        if entry is not None and view.decided_at is not None and outcome is not None:
            self._queue_one(entry, lambda call, now: call.charge_decided(view.id, outcome, now))

    def _publish_outcome(self, news: CaptureChanged | None) -> None:
        if news is not None:
            log.info("payment_outcome_found", payment=news.capture)
            self.on_media_news(news)

    async def resume_payments(self) -> None:
        """Go on with payments that an earlier process left open, and bind prepared ones to the
        calls that go on. Raises sqlite3.Error."""
        entries = self._context.registry.all()
        await self._context.payments.resume([entry.call.id for entry in entries])
        for entry in entries:
            self._executor.linking.observe(entry)

    async def prune_payments(self, before: float) -> None:
        """Delete payments that started before this time. Raises sqlite3.Error."""
        await self._context.payments.prune(before)

    # --- CallDesk ---------------------------------------------------------------------------------

    def calls(self) -> list[CallView]:
        """See CallDesk."""
        return self._context.feed.calls()

    def follow(self, after: str = "") -> AsyncIterator[CallView | PaymentView | ServiceView]:
        """See CallDesk."""
        return self._context.feed.follow(after)

    def trunks(self) -> list[TrunkView]:
        """See CallDesk."""
        return trunks(self._plan.router, self._context.limiter, self._context.engine)

    def calls_by_trunk(self) -> dict[str, int]:
        """The legs on each trunk now, for other instances."""
        return self._context.limiter.all_calls()

    def health(self) -> dict[str, int | bool]:
        """See CallDesk."""
        found = health(len(self._context.registry), self._context.engine, self._context.media, self._counted)
        payments, found = self._context.payments, found | self._plan.health()
        found |= payments.reconciliation.health(self._context.reconciler) | payments.notices.health()
        return found | payments.follow_ups.health() | payments.links.health() | payments.prepared.health()

    def faults(self) -> tuple[Fault, ...]:
        """See CallDesk."""
        return self._faults.all()
