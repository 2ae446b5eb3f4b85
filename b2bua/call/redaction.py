"""What a leg says beside the call itself, while nothing of it may be a key.

Rule 1: while the agent's side is masked, of what the customer's side sends only codes cross: no
        header but the numbers of a Reason, no part of a body, no phrase; of its session
        descriptions, see `Descriptions`. What is not understood is not forwarded
        (docs/architecture.md).
"""

from __future__ import annotations

import re
from dataclasses import replace

from b2bua.call.leg import Carried, LegEvent, LegFailed, LegHungUp, ReinviteFailed

_REASON = re.compile(
    r"(?i)(SIP|Q\.850)\s*;\s*cause\s*=\s*([1-6][0-9]{2}|1[01][0-9]|12[0-7]|[1-9][0-9]?)(?![0-9])"
)


def redacted(event: LegEvent) -> LegEvent:
    """The event without what could carry a key."""
    match event:
        case LegHungUp():
            return replace(event, carried=_bare(event.carried))
        case LegFailed():
            return replace(event, phrase="", carried=_bare(event.carried))
        case ReinviteFailed():
            return replace(event, phrase="")
        case _:
            return event


def _bare(carried: Carried) -> Carried:
    matches = [_REASON.match(value) for name, value in carried.headers if name == "Reason"]
    return Carried(
        tuple(("Reason", f"{match[1].upper()};cause={match[2]}") for match in matches[:2] if match)
    )
