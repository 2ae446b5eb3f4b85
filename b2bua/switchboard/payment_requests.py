"""What agents ask for of payments: the switchboard's part of `CallDesk` that has to do with them.

Rule 1: a payment is driven by the agent who started it, or who took it over.
Rule 2: an order that was charged, or may have been, is not charged again unless that is asked for
        expressly: looked up at the start, and again in one step with the note that the card is
        submitted.
"""

from __future__ import annotations

from collections.abc import Callable

from b2bua.call.call import Call
from b2bua.call.command import CallCommand
from b2bua.call.view import CallView, NoSuchCall, NotNow, NotWell, Order, PaymentView, Repeated, Stops
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.faults import Faults
from b2bua.switchboard.payments import Payments
from b2bua.switchboard.registry import Registry
from b2bua.switchboard.run_queue import RunQueue
from media.events import Field
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)


class PaymentRequests:
    """Requests for the payments in the calls of one switchboard."""

    _clock: Callable[[], float]
    _turns: RunQueue
    _lines: Registry
    _faults: Faults
    _payments: Payments
    _execution: Executor

    async def start_capture(
        self, call_id: str, order: Order, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView:
        if (fault := self._faults.stopping(Stops.CALLS, Stops.PAYMENTS)) is not None:
            raise NotWell(fault.says)
        self._line(call_id)
        charged = await self._payments.charged(order.transaction_id)
        if charged and not allow_repeat:
            raise Repeated(charged)
        capture = token(16)
        view = self._ask(call_id, lambda call, now: call.start_capture(capture, order, now, agent))
        try:
            await self._payments.begin(view, charged)
        except NotWell:
            self._ask(call_id, lambda call, now: call.cancel_capture(now))
            raise
        return view

    async def reset_capture(self, call_id: str, field: Field | None = None, agent: str = "") -> CallView:
        self._line(call_id).call.payment.check_agent(agent)
        return self._ask(call_id, lambda call, now: call.reset_capture(field, now))

    async def submit_capture(self, call_id: str, agent: str = "", *, allow_repeat: bool = False) -> CallView:
        line = self._line(call_id)
        payment = line.call.payment
        payment.check_agent(agent)
        capture = payment.check_ready().id
        with self._payments.submitting(capture):
            record = line.call.record(self._clock())
            await self._payments.note_submission(capture, record, allow_repeat=allow_repeat)
            try:
                if payment.check_ready().id != capture:
                    raise NotNow("The payment is over.")
                payment.check_agent(agent)
                return self._ask(call_id, lambda call, now: call.submit_capture(now))
            # The customer went on keying, or hung up, or another agent took it over.
            except Exception:
                self._payments.take_back_submission(capture)
                raise

    async def cancel_capture(self, call_id: str, agent: str = "") -> CallView:
        self._line(call_id).call.payment.check_agent(agent)
        return self._ask(call_id, lambda call, now: call.cancel_capture(now))

    async def release_mask(self, call_id: str, agent: str = "") -> CallView:
        self._line(call_id).call.payment.check_agent(agent)
        return self._ask(call_id, lambda call, now: call.release_mask(now))

    async def take_over_capture(self, call_id: str, agent: str) -> CallView:
        view = self._line(call_id).call.payment.view
        before = view.agent if view is not None else ""
        answer = self._ask(call_id, lambda call, now: call.take_over_capture(agent, now))
        if before != agent:
            log.warning("payment_taken_over", agent=agent, why=f"from {before}", call=call_id)
        return answer

    async def payment(self, payment_id: str) -> PaymentView:
        return await self._payments.find(payment_id)

    async def payments(self, transaction_id: str | None, most: int) -> list[PaymentView]:
        return await self._payments.newest(transaction_id, most)

    async def recall(self, agent: str, key: str, digest: bytes) -> CallView | None:
        return await self._payments.recall(agent, key, digest)

    async def remember(self, agent: str, key: str, digest: bytes, answer: CallView) -> None:
        await self._payments.remember(agent, key, digest, answer)

    # --- inside -----------------------------------------------------------------------------------

    def _line(self, call_id: str) -> Entry:
        line = self._lines.get(call_id)
        if line is None or line.call.ended_at is not None:
            raise NoSuchCall("There is no such call, or it has ended.")
        return line

    def _ask(self, call_id: str, request: Callable[[Call, float], list[CallCommand]]) -> CallView:
        line = self._line(call_id)
        commands = request(line.call, self._clock())
        self._turns.take(lambda: self._execution.carry_out(line, commands))
        return line.call.view()
