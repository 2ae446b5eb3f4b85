"""Finds the provider that took a payment's money, and what it can do about it now.

Rule 1: what is done later about a payment goes to who took it, whichever provider is the first now.
Rule 2: where that one is no longer configured, nothing is sent anywhere.
"""

from __future__ import annotations

from b2bua.call.view import NotNow, PaymentView
from b2bua.switchboard.interfaces import Reconciler
from provider_adapters.payment import Approved, Operation, PartiallyApproved


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
