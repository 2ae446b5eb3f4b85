"""Removes from a leg's events everything that could carry a DTMF digit while the call is masked.

Rule 1: while the agent's side is masked, only codes of the customer's side cross: the numbers of a
        Reason header, no other header, no part of a body, no phrase. `OfferAnswer` redacts its
        descriptions. What is not understood is not forwarded (docs/architecture.md).
"""

from __future__ import annotations

import re
from dataclasses import replace

from b2bua.call.leg import Carried, LegEvent, LegFailed, LegHungUp, ReinviteFailed

_REASON = re.compile(
    r"(?i)(SIP|Q\.850)\s*;\s*cause\s*=\s*([1-6][0-9]{2}|1[01][0-9]|12[0-7]|[1-9][0-9]?)(?![0-9])"
)


def redacted(event: LegEvent) -> LegEvent:
    """The event without anything that could carry a digit."""
    match event:
        case LegHungUp():
            return replace(event, carried=_codes_only(event.carried))
        case LegFailed():
            return replace(event, phrase="", carried=_codes_only(event.carried))
        case ReinviteFailed():
            return replace(event, phrase="")
        case _:
            return event


def _codes_only(carried: Carried) -> Carried:
    matches = [_REASON.match(value) for name, value in carried.headers if name == "Reason"]
    return Carried(
        tuple(("Reason", f"{match[1].upper()};cause={match[2]}") for match in matches[:2] if match)
    )
