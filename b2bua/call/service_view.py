"""What may be seen of the health of this Tonewall."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Stops(StrEnum):
    """What a fault makes impossible."""

    CALLS = "calls"
    PAYMENTS = "payments"
    RECORDS = "records"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with this Tonewall now. `says`: a sentence for agents and engineers; `stops` is
    None for a warning."""

    what: str  # media, rtpengine, payers, payments, records or database
    says: str
    stops: Stops | None


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this Tonewall is well; the feed tells it when it changes."""

    faults: tuple[Fault, ...] = ()
