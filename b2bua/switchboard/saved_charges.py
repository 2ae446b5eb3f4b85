"""Charges cards that the provider saved, without a call.

Rule 1: the payment is on disk as `charging` before the request is handed over, in one transaction
        with the check that no other payment charged the order.
Rule 2: an outcome whose answer was lost is asked for as any other, by the journal.
Rule 3: a card that a payment here saved is charged for that payment's merchant account, unless the
        order names another: it may be unknown to others.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import msgspec

from b2bua.call.charge_defaults import ChargeDefaults, complete
from b2bua.call.order import Order, RequestName, SavedCard
from b2bua.call.view import CaptureStage, NotNow, NotOffered, NotWell, PaymentView
from b2bua.switchboard.follow_ups import AWAY
from b2bua.switchboard.interfaces import Reconciler
from b2bua.switchboard.payment_provider import (
    check_configured,
    is_configured,
    offered_for,
    provider_of,
)
from b2bua.switchboard.payments import Payments
from provider_adapters.payment import Approved, Operation, PartiallyApproved, Unknown
from provider_adapters.reconciler.messages import GONE
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)
_NOT_OFFERED: Final = "the payment provider charges no saved cards"


class SavedCharges:
    """Requests for charges of saved cards. `group`: what the agent's group says of charges."""

    def __init__(
        self, payments: Payments, reconciler: Reconciler | None, group: ChargeDefaults | None = None
    ) -> None:
        self._payments, self._reconciler = payments, reconciler
        self._group = group or ChargeDefaults()

    async def charge(
        self,
        order: Order,
        card: SavedCard,
        agent: str,
        name: RequestName | None,
        now: float,
        *,
        allow_repeat: bool,
    ) -> PaymentView:
        """Write the payment, and hand it over. Raises NoSuchPayment, NotNow, NotOffered, NotWell
        and Repeated; then nothing was sent."""
        reconciler = self._reconciler
        if reconciler is None or not reconciler.connected:
            raise NotWell(AWAY)
        group = replace(self._group, merchant_account="") if card.saved_from else self._group
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        view = PaymentView(
            id=token(16),
            stage=CaptureStage.CHARGING,
            order=complete(order, [group]),
            started_by=agent,
            agent=agent,
            started_at=at,
            submitted_at=at,
        )
        if card.saved_from:
            saved = await self._payments.find(card.saved_from)
            view, card = _take_card(view, card, saved)
            check_configured(reconciler, saved)
            offered = offered_for(reconciler, saved)
        else:
            offered = _offered_by(reconciler, card.provider)
        _check_offered(offered, view.order, card)
        view = await self._payments.begin_saved(view, name, allow_repeat=allow_repeat)
        log.info("saved_card", agent=agent, payment=view.id)
        self._payments.start(self._hand_over(reconciler, view, card))
        return view

    async def _hand_over(self, reconciler: Reconciler, view: PaymentView, card: SavedCard) -> None:
        outcome = await reconciler.charge_saved(
            view.order.charge(view.id), card.token, card.provider, card.saved_from
        )
        if outcome == Unknown(reason=GONE):
            log.warning("charge_not_answered", hint="its outcome is asked for", payment=view.id)
            self._payments.ask_for(view.id)
            return
        self._payments.settle_saved(view.id, outcome)


def _take_card(view: PaymentView, card: SavedCard, saved: PaymentView) -> tuple[PaymentView, SavedCard]:
    """The payment with what is known of the card, and where it is saved. Raises NotNow where it is
    not."""
    outcome = saved.outcome
    if not isinstance(outcome, Approved | PartiallyApproved) or not outcome.token:
        raise NotNow("No card was saved with that payment.")
    order = msgspec.structs.replace(
        view.order,
        customer=view.order.customer or saved.order.customer or saved.order.transaction_id,
        merchant_account=view.order.merchant_account or saved.order.merchant_account,
    )
    view = msgspec.structs.replace(
        view, order=order, saved_from=saved.id, brand=saved.brand, last_four=saved.last_four
    )
    return view, SavedCard(saved_from=saved.id, token=outcome.token, provider=provider_of(saved))


def _offered_by(reconciler: Reconciler, provider: str) -> frozenset[Operation] | None:
    if not is_configured(reconciler, provider):
        raise NotOffered("provider", "no payment provider of that name is configured here")
    return reconciler.operations(provider)


def _check_offered(offered: frozenset[Operation] | None, order: Order, card: SavedCard) -> None:
    if order.operation == "verify":
        raise NotOffered("operation", "a saved card is charged or authorised")
    if offered is None:
        return
    if Operation.CHARGE_SAVED not in offered:
        raise NotOffered("saved_from" if card.saved_from else "token", _NOT_OFFERED)
    if (field := order.missing(offered)) is not None:
        raise NotOffered(field, f"the payment provider does not offer this: {order.operation}")
