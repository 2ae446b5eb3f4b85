"""Counts what no call record has: payments without a call, and webhooks that were refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from provider_adapters.payment import DIFFERENCES, Outcome, Unknown, outcome_type
from provider_adapters.reconciler.messages import WebhookRefusal


@dataclass(slots=True)
class Tallies:
    """Since the start. `saved`: charges of saved cards that ended, by their outcome; `differences`:
    those of them that approved something else than was asked for, by the reason;
    `refused_webhooks`: by the provider's name and the reason, since the reconciler started."""

    saved: dict[str, int] = field(default_factory=dict)
    differences: dict[str, int] = field(default_factory=dict)
    refused_webhooks: Mapping[str, Mapping[WebhookRefusal, int]] = field(default_factory=dict)

    def count_saved(self, outcome: Outcome) -> None:
        """Count a charge of a saved card that ended."""
        word = outcome_type(outcome)
        self.saved[word] = self.saved.get(word, 0) + 1
        if isinstance(outcome, Unknown) and outcome.reason in DIFFERENCES:
            self.differences[outcome.reason] = self.differences.get(outcome.reason, 0) + 1

    @property
    def all_refused_webhooks(self) -> int:
        """How many were refused in all."""
        return sum(sum(counts.values()) for counts in self.refused_webhooks.values())


class Tallied(Protocol):
    """Who has such counts."""

    def tallies(self) -> Tallies:
        """The counts, for the metrics."""
        ...
