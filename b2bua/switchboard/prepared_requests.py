"""Carries out what agents request of prepared payments, and of calls by what is known of them: that
part of `Desk`.

Rule 1: a prepared payment is started in the call that it is bound to, and in no other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from b2bua.call.feature_codes import Feature
from b2bua.call.form_result import order_for_form
from b2bua.call.order import Order, RequestName
from b2bua.call.prepared import USUAL_EXPIRES, FindBy, PreparedView, Start
from b2bua.call.prepared_desk import CallQuery
from b2bua.call.view import (
    CallView,
    CaptureStage,
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotOffered,
    NotWell,
    NotYours,
    PaymentView,
    Repeated,
)
from b2bua.switchboard.code_audit import CodeAudit
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.payment_views import timestamp
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)
_GONE = "The call of this payment has ended, or another customer is in it."
_NOT_PREPARED = "This payment is not prepared any more. Cancel it in its call."


class PreparedRequests(ABC):
    """Requests for prepared payments. Its methods: see `PreparedDesk`."""

    _context: SwitchboardContext
    _executor: Executor
    _audit: CodeAudit

    @abstractmethod
    async def _start_payment(
        self, call_id: str, order: Order, agent: str, prepared: str = "", *, allow_repeat: bool
    ) -> CallView:
        """`prepared`: the id of the payment that was prepared, and begins in this call."""

    def find_calls(self, query: CallQuery) -> list[CallView]:
        """See PreparedDesk."""
        return self._executor.linking.select(query)

    def find_call(self, name: str) -> CallView:
        """See PreparedDesk."""
        for view in self._context.feed.calls():
            if view.id == name:
                return view
        entry = self._executor.linking.find(name)
        if entry is None:
            raise NoSuchCall
        return entry.call.view()

    async def prepare_payment(
        self,
        order: Order,
        find_by: FindBy,
        agent: str,
        name: RequestName | None = None,
        *,
        start: Start = "press",
        expires_in: float = USUAL_EXPIRES,
        allow_repeat: bool = False,
    ) -> PaymentView:
        """See PreparedDesk."""
        if (form := self._context.find_form(order.form)) is not None:
            order = order_for_form(order, form)
        payments, now = self._context.payments, self._context.clock()
        at, expires_at = timestamp(now), timestamp(now + expires_in)
        how = PreparedView(find_by=find_by, start=start, expires_at=expires_at)
        view = PaymentView(
            id=token(16), stage=CaptureStage.PREPARED, order=order, prepared=how,
            started_by=agent, agent=agent, started_at=at,
        )  # fmt: skip
        if allow_repeat:
            view = await payments.repeating(view)
        found = await payments.prepared.prepare(view, name)
        log.info("payment_prepared", state="prepared", agent=agent, payment=view.id)
        return found

    async def start_prepared(
        self, payment_id: str, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView:
        """See PreparedDesk."""
        prepared = self._context.payments.prepared
        view = prepared.begin(payment_id)
        why = _GONE
        try:
            return await self._start_payment(
                view.call, view.order, agent, payment_id, allow_repeat=allow_repeat
            )
        except NoSuchCall:
            raise NotNow(_GONE) from None
        except (NotNow, NotWell, NotOffered, NotYours) as error:
            why = str(error)
            raise
        finally:
            prepared.refuse(payment_id, why)  # unless it was started

    async def cancel_prepared(self, payment_id: str, agent: str) -> PaymentView:
        """See PreparedDesk."""
        prepared = self._context.payments.prepared
        if prepared.find(payment_id) is None:
            await self._context.payments.find(payment_id)
            raise NotNow(_NOT_PREPARED)
        return await prepared.cancel(payment_id, agent)

    def prepared_payments(self, most: int) -> list[PaymentView]:
        """See PreparedDesk."""
        return self._context.payments.prepared.newest(most)

    # --- inside -----------------------------------------------------------------------------------

    def _link_calls(self) -> None:
        prepared = self._context.payments.prepared
        prepared.calls, prepared.bound = self._executor.linking.answered, self._on_bound

    def _on_bound(self, view: PaymentView) -> None:
        self._context.payments.notices.bound(view)
        if view.prepared is not None and view.prepared.start == "at_answer":
            self._context.payments.start(self._start_at_answer(view))

    async def _start_at_answer(self, view: PaymentView) -> None:
        """Start it for the agent of its call, where that is known; else for who prepared it."""
        entry = self._context.registry.get(view.call)
        if entry is not None and entry.call.unattended.active:
            return  # the form starts it
        agent = (entry.call.view().agent if entry is not None else "") or view.agent
        try:
            async with self._audit.noted(agent, Feature.START, view.call, "answer"):
                await self.start_prepared(view.id, agent)
        except (NotNow, NotWell, NotOffered, NotYours, Repeated, NoSuchPayment) as error:
            reason = type(error).__name__
            log.warning("payment_not_started", reason=reason, call=view.call, payment=view.id)
