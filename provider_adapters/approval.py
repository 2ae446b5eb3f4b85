"""Judges an approval: it counts for the amount and currency that the answer names, not for those
that were asked for."""

from __future__ import annotations

from provider_adapters.payment import Approved, Charge, Outcome, PartiallyApproved, Unknown
from provider_adapters.text import clean_reference, clean_text


def approve(
    charge: Charge,
    *,
    reference: str | None,
    amount: int | None = None,
    currency: str | None = None,
    token: str | None = None,
    authorisation_code: str | None = None,
) -> Outcome:
    """`amount`: what was approved, in the charge's minor unit; None where the answer names none and
    the provider approves all or nothing. Unknown where another amount or currency was approved: a
    person must look."""
    if currency is not None and currency.upper() != charge.currency.upper():
        return Unknown(reason="currency_differs")
    approved = charge.amount if amount is None else amount
    least = 0 if charge.amount == 0 else 1
    if not least <= approved <= charge.amount:
        return Unknown(reason="amount_differs")
    kept, code = token or None, clean_text(authorisation_code) or None
    if approved < charge.amount:
        return PartiallyApproved(
            amount=approved, reference=clean_reference(reference), token=kept, authorisation_code=code
        )
    return Approved(reference=clean_reference(reference), token=kept, authorisation_code=code)
