"""What may be seen of the health of this Tonewall."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

# What `Fault.what` may be: a fixed list, as a label of the metrics and a row of docs/alerts.md.
FAULT_KINDS: Final = (
    "media", "rtpengine", "payers", "payments", "audit", "audit_copy", "certificate", "files", "sign_ins",
    "identity_provider",
    "provider", "links", "notify", "webhooks", "records", "shared", "draining",
)  # fmt: skip
DRAINING: Final = "draining"  # a fault that stops new calls alone


class Stops(StrEnum):
    """What a fault makes impossible."""

    CALLS = "calls"
    PAYMENTS = "payments"
    RECORDS = "records"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with this Tonewall now. `says`: a sentence for agents and engineers; `stops` is
    None for a warning."""

    what: str  # of FAULT_KINDS
    says: str
    stops: Stops | None


def takes_calls(faults: Iterable[Fault]) -> bool:
    """Whether new calls are accepted with these faults."""
    return not reasons_against_calls(faults)


def reasons_against_calls(faults: Iterable[Fault]) -> list[str]:
    """The names of the faults for which new calls are refused."""
    return [fault.what for fault in faults if fault.stops is Stops.CALLS or fault.what == DRAINING]


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this Tonewall is well; the feed tells it when it changes."""

    faults: tuple[Fault, ...] = ()
