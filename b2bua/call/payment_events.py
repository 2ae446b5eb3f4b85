"""Names the events of a payment of which the company's own service may hear."""

from __future__ import annotations

from typing import Final

EVENTS: Final = (
    "bound",  # a prepared payment has found its call
    "masked",  # media confirmed the mask: no key reaches the agent
    "collecting",  # the customer may key
    "field",  # a field is complete
    "refused",  # what was keyed into a field was
    "ready",
    "submitted",
    "taken_over",
    "needs_person",  # it does not go on by itself
    "outcome",
    "over",  # without an outcome: cancelled, or aborted
)
USUAL: Final = frozenset({"needs_person", "outcome", "over"})
