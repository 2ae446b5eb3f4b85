"""Carries out what agents request of payment links.

Rule 1: a link is opened at the first of the providers that offers links: of those that the call's
        route names, or of all.
Rule 2: no link is opened while a card is keyed in the same call: the agent cancels that first.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call.call import Call
from b2bua.call.charge_defaults import ChargeDefaults, complete
from b2bua.call.link import LinkOffer, LinkView, Recipient
from b2bua.call.order import Order, RequestName
from b2bua.call.owned_payment import FINAL
from b2bua.call.view import CaptureStage, NotNow, NotOffered, NotWell, PaymentView
from b2bua.switchboard.follow_ups import AWAY
from b2bua.switchboard.interfaces import Reconciler
from b2bua.switchboard.payment_provider import is_configured
from b2bua.switchboard.payment_views import timestamp
from b2bua.switchboard.payments import Payments
from provider_adapters.payment import Operation
from tonewall.log import get_logger
from tonewall.tokens import token

log = get_logger(__name__)
_NOT_OFFERED = {
    "operation": "the payment provider does not offer this: {}",
    "token_type": "the payment provider saves no cards",
}
_KEYING = "A card payment is under way in this call. Cancel it first, then open a payment link."


@dataclass(frozen=True, slots=True)
class LinkWish:
    """What an agent asks for. `provider`: by name; empty: the first that offers links;
    `expires_in`: seconds; None: those of the settings."""

    order: Order
    to: Recipient
    provider: str = ""
    expires_in: float | None = None
    allow_repeat: bool = False


class LinkRequests:
    """Requests for payment links. `group`: what the agent's group says of charges."""

    def __init__(
        self, payments: Payments, reconciler: Reconciler | None, group: ChargeDefaults | None = None
    ) -> None:
        self._payments, self._reconciler = payments, reconciler
        self._group = group or ChargeDefaults()

    async def open(
        self, wish: LinkWish, call: Call | None, agent: str, name: RequestName | None, now: float
    ) -> PaymentView:
        """Write the payment, and have its link opened. Raises NotNow, NotOffered, NotWell and
        Repeated; then nothing was sent."""
        reconciler, payments = self._reconciler, self._payments
        if reconciler is None or not reconciler.connected:
            raise NotWell(AWAY)
        order, names = wish.order, tuple(filter(None, (wish.provider,)))
        if call is not None:
            capture = call.payment.view
            if capture is not None and capture.stage not in FINAL:
                raise NotNow(_KEYING)
            names = names or call.payment.charging.providers
        scopes = (self._group,) if call is None else call.charge_scopes(self._group)
        order = complete(order, scopes)
        if (wish.to.phone or wish.to.email) and not payments.link_service.exists:
            raise NotOffered("to", "no service sends links: set [links] webhook_url, or leave this out")
        provider = _provider(reconciler, names, order)
        expires_in = payments.link_policy.expires if wish.expires_in is None else wish.expires_in
        at = timestamp(now)
        view = PaymentView(
            id=token(16),
            call=call.id if call is not None else "",
            stage=CaptureStage.LINKED,
            order=order,
            link=LinkView(expires_at=timestamp(now + expires_in), provider=provider),
            started_by=agent,
            agent=agent,
            started_at=at,
            submitted_at=at,
        )
        if wish.allow_repeat:
            view = await payments.repeating(view)
        view = await payments.links.begin(reconciler, view, wish.to, name)
        log.info("link", state="opening", agent=agent, call=view.call, payment=view.id)
        return view

    def offer(self) -> LinkOffer:
        """Whether links can be opened, and for how long."""
        offers = [] if self._reconciler is None else list(_offers(self._reconciler, ()).values())
        known = [each for each in offers if each is not None]
        return LinkOffer(
            offered=any(Operation.LINK in each for each in known) if known else None,
            hand_over=self._payments.link_service.exists,
            expires=self._payments.link_policy.expires,
        )


def _offers(reconciler: Reconciler, names: tuple[str, ...]) -> dict[str, frozenset[Operation] | None]:
    """What each of these can do, or all where none is named; None where that is not known."""
    # Without a name it is the default one.
    return {name: reconciler.operations(name) for name in names or reconciler.names() or ("",)}


def _provider(reconciler: Reconciler, names: tuple[str, ...], order: Order) -> str:
    """The first that opens a link for this order. Raises NotOffered, and NotWell while nobody
    knows."""
    if not all(is_configured(reconciler, name) for name in names):
        raise NotOffered("provider", "no payment provider of that name is configured here")
    known = {name: each for name, each in _offers(reconciler, names).items() if each is not None}
    if not known:
        raise NotWell("It is not known yet whether the payment provider can do this. Try again soon.")
    missing = {name: order.missing(each) for name, each in known.items() if Operation.LINK in each}
    if not missing:
        raise NotOffered("provider", "the payment provider offers no payment links")
    if not order.moves_money:
        raise NotOffered("operation", "a payment link charges or authorises")
    for name, field in missing.items():
        if field is None:
            return name
    field = next(iter(missing.values()))
    assert field is not None
    raise NotOffered(field, _NOT_OFFERED[field].format(order.operation))
