"""Defines the notice: what a provider's webhook says of one charge, or of what was done later about
it.

Rule 1: a notice holds only what the provider signed, and no card data.
Rule 2: a claim is not an outcome: the reconciler judges it against the journal.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from provider_adapters.payment import Approved, Declined, Failed

MAX_EVENT = 128
Claim = Approved | Declined | Failed
About = Literal["charge", "capture", "void", "refund"]


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event. `event`: its id, the same however often it comes; `about`: what kind of request it
    speaks of; `key`: our idempotency key of that, or of its charge; `reference`: the provider's own
    of it. `claim`: what became of it; None: it changed, so look. `amount`: in the currency's minor
    unit, None where the event names none. `at`: seconds since the epoch. `provider`: the name of
    the section of the provider that signed it; a scheme leaves it empty."""

    event: str
    about: About = "charge"
    key: str = ""
    reference: str = ""
    claim: Claim | None = None
    amount: int | None = None
    currency: str = ""
    at: float = 0.0
    provider: str = ""
