"""Finds the provider that took a payment's money, and what it can do about it now.

Rule 1: what is done later about a payment goes to who took it, whichever provider is the first now.
Rule 2: where that one is no longer configured, nothing is sent anywhere.
"""

from __future__ import annotations

import msgspec

from b2bua.call.follow_up import KINDS
from b2bua.call.view import NotNow, PaymentView
from b2bua.switchboard.interfaces import Reconciler
from provider_adapters.payment import Approved, Operation, PartiallyApproved, follow_up_operation

_ABOUT_PAYMENTS = (
    frozenset({Operation.CHARGE_SAVED})
    | {follow_up_operation(kind, in_part=False) for kind in KINDS}
    | {follow_up_operation(kind, in_part=True) for kind in KINDS}
)


def provider_of(payment: PaymentView) -> str:
    """The name of the provider that approved it; empty where its record has none: the reconciler
    looks into the journal then."""
    outcome = payment.outcome
    return outcome.provider or "" if isinstance(outcome, Approved | PartiallyApproved) else ""


def is_configured(reconciler: Reconciler, name: str) -> bool:
    """Whether there is a provider of that name; True while that is not known."""
    names = reconciler.names()
    return not name or not names or name in names


def check_configured(reconciler: Reconciler, payment: PaymentView) -> None:
    """Raises NotNow where nobody is there any more to whom a request about it could go."""
    name = provider_of(payment)
    if not is_configured(reconciler, name):
        raise NotNow(
            f"This payment was taken by the provider {name}, which is no longer configured here. "
            "Nothing was sent."
        )


def offered_for(reconciler: Reconciler, payment: PaymentView) -> frozenset[Operation] | None:
    """What can be done about it by who took it; None where that is not known here: of a record
    without a name, where there are several providers."""
    name = provider_of(payment)
    if not name and len(reconciler.names()) > 1:
        return None
    return reconciler.operations(name)


def with_offers(reconciler: Reconciler | None, payment: PaymentView) -> PaymentView:
    """The payment with what its provider offers, as far as that is known; before an approval
    nothing is offered."""
    if reconciler is None or not isinstance(payment.outcome, Approved | PartiallyApproved):
        return payment
    if not is_configured(reconciler, provider_of(payment)):
        offered: frozenset[Operation] | None = frozenset()
    else:
        offered = offered_for(reconciler, payment)
    if offered is None:
        return payment
    return msgspec.structs.replace(payment, offers=tuple(sorted(offered & _ABOUT_PAYMENTS)))
