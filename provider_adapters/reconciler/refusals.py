"""Counts the webhooks that were refused, as the webhook processes report them.

Rule: only providers that are configured are counted, by reasons of an enumeration: the counts stay
few, whoever sends what.
"""

from __future__ import annotations

from collections.abc import Collection

from provider_adapters.reconciler.messages import Refused, WebhookRefusal


class WebhookRefusals:
    """`counts`: by the provider's name and the reason, since the start. `providers`: their
    names."""

    def __init__(self, providers: Collection[str]) -> None:
        self._providers = providers
        self.counts: dict[str, dict[WebhookRefusal, int]] = {}

    def add(self, message: Refused) -> None:
        """Add what a webhook process counted."""
        if message.provider in self._providers:
            counts = self.counts.setdefault(message.provider, {})
            for reason, count in message.counts.items():
                counts[reason] = counts.get(reason, 0) + count
