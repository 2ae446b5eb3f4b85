"""Carries out what agents key on their own telephones.

Rule 1: a code is an agent's request like one over the API, with the same rights: of the agent to
        whose page the telephone is linked, else of the one whose extension it is, else of `phone:`
        and its number.
Rule 2: one code of a call at a time; one that comes meanwhile is refused.
Rule 3: no code is logged, recorded or shown, only what it asks for and what became of that.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import Final

from b2bua.call.agent_phone import Claim
from b2bua.call.feature_codes import CodeView, Feature, FeatureRequest
from b2bua.call.prepared_desk import Desk
from b2bua.call.state import BridgeState
from b2bua.call.view import (
    CaptureView,
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotOffered,
    NotWell,
    NotYours,
    PaymentView,
)
from b2bua.switchboard.claims import Claims
from b2bua.switchboard.code_audit import CodeAudit
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.interfaces import Plan
from media.events import FieldName, Over, PlayPrompt, Side
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_REFUSALS: Final = (NoSuchCall, NoSuchPayment, NotNow, NotWell, NotYours, NotOffered)
_FIRST_PLAY: Final = 1_000_000  # those of a call's guide are below
_BY_NUMBER: Final = "phone:"
_UNKNOWN: Final = "There is no such code."
_BUSY: Final = "The code before is still being carried out."
_NOT_UP: Final = "The call is not answered."
_NO_ORDER: Final = "No order is prepared for this call."
_SEVERAL: Final = "Several payments are prepared for this call. Start one on the page."
_NO_PAYMENT: Final = "There is no payment under way in this call."
_NO_FIELD: Final = "The form of this payment has no such field."
_WRONG: Final = "This short code is not right, or no longer."


class FeatureKeys:
    """The codes of all calls of one switchboard."""

    def __init__(
        self,
        desk: Desk,
        context: SwitchboardContext,
        executor: Executor,
        plan: Plan,
    ) -> None:
        self._desk, self._context, self._executor = desk, context, executor
        self._codes = plan.feature_codes
        self.offered = any(policy.feature_codes for policy in plan.policies.values())
        self.claims = Claims(self._codes.length)
        context.on_feature_code = self.keyed
        self._audit = CodeAudit(plan.recorder)
        self._tasks = BackgroundTasks()
        self._busy: set[str] = set()
        self._plays = itertools.count(_FIRST_PLAY)

    def keyed(self, entry: Entry, code: str) -> None:
        """A call's telephone has keyed these digits."""
        request = self._codes.read(code)
        if entry.call.id in self._busy:
            self._tell(entry, CodeView(feature=request.feature, reason=_BUSY))
            return
        self._busy.add(entry.call.id)
        failed = CodeView(feature=request.feature, reason="Something went wrong inside Tonewall.")
        self._tasks.start(self._carry_out(entry, request), "feature_code", lambda: self._tell(entry, failed))

    async def close(self) -> None:
        """Stop what is under way."""
        await self._tasks.cancel()

    async def _carry_out(self, entry: Entry, request: FeatureRequest) -> None:
        agent = phone_agent(entry)
        log.info(
            "agent_request",
            operation=request.feature.value,
            agent=agent,
            call=entry.call.id,
            why="by telephone",
        )
        reason: str | None = None
        try:
            if entry.call.bridge.state is not BridgeState.UP:
                raise NotNow(_NOT_UP)
            async with self._audit.noted(agent, request.feature, entry.call.id):
                if request.feature is Feature.LINK:
                    await self._link(entry, request.short_code, agent)
                else:
                    await self._request(entry, request, agent)
        except _REFUSALS as refused:
            reason = str(refused) or _NO_PAYMENT
        finally:
            self._busy.discard(entry.call.id)
        self._tell(entry, CodeView(feature=request.feature, done=reason is None, reason=reason))

    async def _request(self, entry: Entry, request: FeatureRequest, agent: str) -> None:
        desk, call = self._desk, entry.call.id
        match request.feature:
            case Feature.START:
                await self._start(entry, agent)
            case Feature.SUBMIT:
                claim = entry.call.report.phone.claim
                repeat = claim is not None and claim.allow_repeat
                await desk.submit_capture(call, agent, allow_repeat=repeat)
            case Feature.PROTECT:
                await desk.announce_payment(call, agent)
            case Feature.CANCEL:
                await desk.cancel_capture(call, agent)
            case Feature.RELEASE:
                await desk.release_mask(call, agent)
            case Feature.SKIP:
                await desk.skip_field(call, _field(_payment(entry), 0), agent)
            case Feature.ASK if request.number:
                await desk.ask_field(call, _field(_payment(entry), request.number), agent)
            case Feature.ASK:
                await desk.reset_capture(call, _field(_payment(entry), 0), agent)
            case _:
                raise NotNow(_UNKNOWN)

    async def _start(self, entry: Entry, agent: str) -> None:
        claim, call = entry.call.report.phone.claim, entry.call.id
        if claim is not None and claim.order is not None:
            await self._desk.start_capture(call, claim.order, agent, allow_repeat=claim.allow_repeat)
            return
        prepared = self._context.payments.prepared.of_call(call)
        if len(prepared) != 1:
            raise NotNow(_SEVERAL if prepared else _NO_ORDER)
        await self._desk.start_prepared(prepared[0].id, agent)

    async def _link(self, entry: Entry, code: str, before: str) -> None:
        """`before`: as whom the telephone has acted; what it drives as a mere number goes over."""
        call, now = entry.call.id, self._context.clock()
        if self.claims.is_locked(call, now):
            raise NotNow(_WRONG)
        linked = self.claims.take(code, call, now) or self._prepared_claim(entry, code)
        if linked is None:
            self.claims.count_wrong(call, now)
            raise NotNow(_WRONG)
        log.info("call_linked", call=call, agent=linked.agent)
        self._context.run_queue.run(
            lambda: self._executor.step(entry, lambda now: entry.call.link_agent(linked, now))
        )
        payment = entry.call.payment
        driver = payment.announced_by or (payment.view.agent if payment.view is not None else "")
        if driver == before and driver.startswith(_BY_NUMBER):
            with contextlib.suppress(NotNow):  # it is over
                await self._desk.take_over_capture(call, linked.agent)

    def _prepared_claim(self, entry: Entry, code: str) -> Claim | None:
        """The payment that was prepared with this code; it is bound to the call then."""
        prepared = self._context.payments.prepared
        facts = self._executor.linking.facts(entry)
        found = next((each for each in prepared.match(facts, code) if _has_code(each, code)), None)
        return None if found is None else Claim(id=found.id, agent=found.agent)

    def _tell(self, entry: Entry, view: CodeView) -> None:
        prompt = self._prompt(entry, view)
        self._context.run_queue.run(
            lambda: self._executor.step(entry, lambda now: entry.call.code_carried_out(view, now, prompt))
        )

    def _prompt(self, entry: Entry, view: CodeView) -> PlayPrompt | None:
        """What the agent alone hears; the customer's keys do not end it, so it says nothing of
        them."""
        if not self._codes.prompts or entry.call.bridge.state is not BridgeState.UP:
            return None
        return PlayPrompt(
            session=entry.call.bridge.session,
            play=next(self._plays),
            side=Side.AGENT,
            prompts=(f"code_{'done' if view.done else 'refused'}.{view.feature.value}",),
            over=Over.DUCK,
            barge_in=False,
            language=self._codes.language,
            prompt_set=self._codes.prompts,
        )


def phone_agent(entry: Entry) -> str:
    """As whom the agent's telephone in a call acts."""
    view = entry.call.view()
    return view.agent or f"{_BY_NUMBER}{view.extension}"


def _has_code(payment: PaymentView, code: str) -> bool:
    return payment.prepared is not None and payment.prepared.find_by.code == code


def _payment(entry: Entry) -> CaptureView:
    view = entry.call.payment.view
    if view is None:
        raise NotNow(_NO_PAYMENT)
    return view


def _field(view: CaptureView, number: int) -> FieldName:
    """The field of this number, or the one that is keyed now. Raises NotNow."""
    fields = [each.field for each in view.fields]
    found = view.field if number == 0 else fields[number - 1] if number <= len(fields) else None
    if found is None:
        raise NotNow(_NO_FIELD)
    return found
