"""Carries out what agents request of payments: the part of `CallDesk` that concerns them.

Rule 1: a payment is driven by the agent who started it, or who took it over.
Rule 2: whoever submits it charges for the merchant of their own group.
Rule 3: an order that was charged, or may have been, is not charged again unless the agent requests
        that expressly. It is looked up at the start, and again in one transaction with the note
        that the card is submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from b2bua.call.call import Call
from b2bua.call.charge_defaults import choose_form
from b2bua.call.command import CallCommand
from b2bua.call.desk import Keep
from b2bua.call.follow_up import Kind
from b2bua.call.form_result import order_for_form, providers_for
from b2bua.call.link import LinkOffer, Recipient
from b2bua.call.order import Order, RequestName, SavedCard, Settlement
from b2bua.call.tallies import Tallies
from b2bua.call.view import (
    CallView,
    NoSuchCall,
    NotNow,
    NotOffered,
    NotWell,
    PaymentView,
    Repeated,
    refusal,
)
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.claim_requests import ClaimRequests
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.faults import Faults
from b2bua.switchboard.follow_ups import AWAY
from b2bua.switchboard.link_requests import LinkRequests, LinkWish
from b2bua.switchboard.payment_provider import with_offers
from b2bua.switchboard.prepared_requests import PreparedRequests
from b2bua.switchboard.saved_charges import SavedCharges
from b2bua.switchboard.settlements import Settlements
from media.events import FieldName
from provider_adapters.payment import Operation
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)
R = TypeVar("R")
_NOT_OFFERED = {
    "operation": "the payment provider does not offer this: {}",
    "token_type": "the payment provider saves no cards",
}


class PaymentRequests(PreparedRequests, ClaimRequests):
    """Requests for the payments in the calls of one switchboard. Its methods: see `CallDesk`."""

    _context: SwitchboardContext
    _faults: Faults
    _executor: Executor

    async def start_capture(
        self, call_id: str, order: Order, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView:
        """See CallDesk."""
        return await self._start_payment(call_id, order, agent, allow_repeat=allow_repeat)

    async def _start_payment(
        self, call_id: str, order: Order, agent: str, prepared: str = "", *, allow_repeat: bool
    ) -> CallView:
        """`prepared`: the id of the payment that was prepared, and begins in this call."""
        if (stopped := self._faults.obstacle()) is not None:
            raise refusal(stopped)
        call, group = self._entry(call_id).call, self._context.charging_of(agent)
        form = choose_form(self._context.find_form(order.form), call.charge_scopes(group))
        order = order_for_form(order, form)
        self._check_offered(order, providers_for(form, call.payment.charging.providers))
        payments = self._context.payments
        charged = await payments.charged(order.transaction_id)
        was = payments.prepared.check_started(prepared, call_id) if prepared else None
        repeats = was.repeats if was is not None else ()
        if any(each.id not in repeats for each in charged) and order.moves_money and not allow_repeat:
            raise Repeated(charged)
        capture = prepared or token(16)
        view = self._request(
            call_id, lambda call, now: call.start_capture(capture, order, now, agent, group, form)
        )
        if was is not None:
            was = payments.prepared.finish(prepared)
        try:
            await payments.begin(view, charged, was)
        except NotWell:
            self._request(call_id, lambda call, now: call.cancel_capture(now))
            raise
        return view

    async def reset_capture(self, call_id: str, field: FieldName | None = None, agent: str = "") -> CallView:
        """See CallDesk."""
        self._entry(call_id).call.payment.check_agent(agent)
        return self._request(call_id, lambda call, now: call.reset_capture(field, now))

    async def ask_field(self, call_id: str, field: FieldName | None = None, agent: str = "") -> CallView:
        """See CallDesk."""
        self._entry(call_id).call.payment.check_agent(agent)
        return self._request(call_id, lambda call, now: call.ask_field(field, now))

    async def skip_field(self, call_id: str, field: FieldName, agent: str = "") -> CallView:
        """See CallDesk."""
        self._entry(call_id).call.payment.check_agent(agent)
        return self._request(call_id, lambda call, now: call.skip_field(field, now))

    async def slow_keys(self, call_id: str, on: bool, agent: str = "") -> CallView:
        """See CallDesk."""
        self._entry(call_id).call.payment.check_agent(agent)
        return self._request(call_id, lambda call, now: call.slow_keys(on, now))

    async def submit_capture(self, call_id: str, agent: str = "", *, allow_repeat: bool = False) -> CallView:
        """See CallDesk."""
        entry, payments = self._entry(call_id), self._context.payments
        payment = entry.call.payment
        payment.check_agent(agent)
        capture = payment.check_ready().id
        with payments.submitting(capture):
            record = entry.call.record(self._context.clock())
            await payments.note_submission(capture, record, allow_repeat=allow_repeat)
            try:
                if payment.check_ready().id != capture:
                    raise NotNow("The payment is over.")
                payment.check_agent(agent)
                return self._request(call_id, lambda call, now: call.submit_capture(now))
            # The customer went on keying, or hung up, or another agent took it over.
            except Exception:
                payments.take_back_submission(capture)
                raise

    async def cancel_capture(self, call_id: str, agent: str = "") -> CallView:
        """See CallDesk."""
        self._entry(call_id).call.payment.check_agent(agent)
        return self._request(call_id, lambda call, now: call.cancel_capture(now))

    async def announce_payment(self, call_id: str, agent: str = "") -> CallView:
        """See CallDesk."""
        return self._request(call_id, lambda call, now: call.announce_payment(agent, now))

    async def release_mask(self, call_id: str, agent: str = "") -> CallView:
        """See CallDesk."""
        self._entry(call_id).call.payment.check_agent(agent)
        return self._request(call_id, lambda call, now: call.release_mask(now, agent))

    async def take_over_capture(self, call_id: str, agent: str) -> CallView:
        """See CallDesk."""
        call = self._entry(call_id).call
        payment = call.payment
        before = payment.announced_by or (payment.view.agent if payment.view is not None else "")
        group = self._context.charging_of(agent)
        answer = self._request(call_id, lambda call, now: call.take_over_capture(agent, now, group))
        if before != agent:
            log.warning("payment_taken_over", agent=agent, why=f"from {before}", call=call.id)
        return answer

    async def payment(self, payment_id: str) -> PaymentView:
        """See CallDesk."""
        return self._with_offers(await self._context.payments.find(payment_id))

    async def payments(
        self,
        transaction_id: str | None,
        most: int,
        outcome: str | None = None,
        keep: Keep | None = None,
    ) -> list[PaymentView]:
        """See CallDesk."""
        found = await self._context.payments.newest(transaction_id, most, outcome, keep)
        return [self._with_offers(each) for each in found]

    async def payments_since(self, since: float, after: str | None, most: int) -> list[PaymentView]:
        """See CallDesk."""
        found = await self._context.payments.since(since, after, most)
        return [self._with_offers(each) for each in found]

    async def reconcile(self, payment_ids: tuple[str, ...]) -> list[PaymentView]:
        """See CallDesk."""
        reconciler, payments = self._context.reconciler, self._context.payments
        if reconciler is None or not reconciler.connected:
            raise NotWell(AWAY)
        named = [await payments.find(each) for each in payment_ids]
        unknown = payments.reconciliation.hurry(payment_ids)
        follow_ups = payments.follow_ups.hurry(payment_ids)
        asked = [*unknown, *payments.links.hurry(payment_ids)]
        if asked:
            # None named: all that the reconciler has.
            reconciler.inquire(tuple(each.id for each in asked) if payment_ids else (), now=True)
        if follow_ups:
            payments.follow_ups.ask(reconciler)
        return [self._with_offers(each) for each in named or unknown]

    async def follow_up(
        self, payment_id: str, kind: Kind, amount: int | None, agent: str, name: RequestName | None = None
    ) -> PaymentView:
        """See CallDesk."""
        follow_ups, reconciler = self._context.payments.follow_ups, self._context.reconciler
        return await follow_ups.begin(reconciler, payment_id, kind, amount, agent, name)

    async def settle_payment(self, payment_id: str, said: Settlement, agent: str) -> PaymentView:
        """See CallDesk."""
        context = self._context
        found = await context.payments.find(payment_id)
        entry = context.registry.get(found.call)
        capture = None if entry is None else entry.call.payment.view
        if entry is not None and capture is not None and capture.id == payment_id:
            entry.call.payment.check_agent(agent)
        return await Settlements(context.payments, context.reconciler).settle(payment_id, said, agent)

    async def charge_saved(
        self,
        order: Order,
        card: SavedCard,
        agent: str,
        name: RequestName | None = None,
        *,
        allow_repeat: bool = False,
    ) -> PaymentView:
        """See CallDesk."""
        context = self._context
        saved = SavedCharges(context.payments, context.reconciler, context.charging_of(agent))
        return await saved.charge(order, card, agent, name, context.clock(), allow_repeat=allow_repeat)

    async def open_link(
        self,
        order: Order,
        agent: str,
        name: RequestName | None = None,
        *,
        call_id: str = "",
        provider: str = "",
        to: Recipient | None = None,
        expires_in: float | None = None,
        allow_repeat: bool = False,
    ) -> PaymentView:
        """See CallDesk."""
        wish = LinkWish(order, to or Recipient(), provider, expires_in, allow_repeat)
        call = self._entry(call_id).call if call_id else None
        context = self._context
        links = LinkRequests(context.payments, context.reconciler, context.charging_of(agent))
        return await links.open(wish, call, agent, name, context.clock())

    async def close_link(self, payment_id: str, agent: str) -> PaymentView:
        """See CallDesk."""
        links = self._context.payments.links
        return await links.close(self._context.reconciler, payment_id, agent)

    def links(self) -> LinkOffer:
        """See CallDesk."""
        return LinkRequests(self._context.payments, self._context.reconciler).offer()

    async def recall(self, name: RequestName) -> bytes | None:
        """See CallDesk."""
        return await self._context.payments.recall(name)

    async def on_payments(self, work: Callable[[PaymentTable], R]) -> R:
        """What `work` makes of the table of payments, in its thread. Raises sqlite3.Error."""
        return await self._context.payments.on_table(work)

    async def remember(self, name: RequestName, answer: bytes) -> None:
        """See CallDesk."""
        await self._context.payments.remember(name, answer)

    def tallies(self) -> Tallies:
        """See CallDesk."""
        return self._context.payments.reconciliation.tallies

    def circuits(self) -> Mapping[str, str]:
        """The state of each provider's circuit breaker, by name: see CircuitState; of one that is
        known and had no charge yet, `closed`."""
        reconciler = self._context.reconciler
        names = reconciler.names() if reconciler is not None else ()
        return dict.fromkeys(names, "closed") | dict(self._context.payments.reconciliation.circuits)

    # --- inside -----------------------------------------------------------------------------------

    def _with_offers(self, payment: PaymentView) -> PaymentView:
        return with_offers(self._context.reconciler, payment)

    def _check_offered(self, order: Order, providers: tuple[str, ...]) -> None:
        """Refuse at once what every provider would refuse after a card was keyed."""
        reconciler = self._context.reconciler
        # Every provider charges. What else one can do the reconciler says, once it is up.
        known = [reconciler.operations(name) for name in providers or ("",)] if reconciler else []
        offers = [each for each in known if each is not None]
        missing = [order.missing(each) for each in offers or [frozenset({Operation.CHARGE})]]
        if None in missing:
            return
        field = missing[0]
        assert field is not None
        if not offers:
            raise NotWell("It is not known yet whether the payment provider can do this. Try again soon.")
        raise NotOffered(field, _NOT_OFFERED[field].format(order.operation))

    def _entry(self, call_id: str) -> Entry:
        entry = self._executor.linking.find(call_id)
        if entry is None or entry.call.ended_at is not None:
            raise NoSuchCall("There is no such call, or it has ended.")
        return entry

    def _request(self, call_id: str, request: Callable[[Call, float], list[CallCommand]]) -> CallView:
        """Change a call as an agent requests. Raises what `request` raises; then nothing has
        changed."""
        entry = self._entry(call_id)
        commands = request(entry.call, self._context.clock())
        self._context.run_queue.run(lambda: self._executor.execute(entry, commands))
        return entry.call.view()
