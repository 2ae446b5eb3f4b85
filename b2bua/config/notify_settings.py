"""Model of `[notify]`: the company's own service that hears how payments go and how they end."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from b2bua.call.payment_events import EVENTS, USUAL
from b2bua.config.values import split_list
from b2bua.config.webhook_target import WebhookTarget


class NotifySettings(WebhookTarget):
    """`[notify]` of sip.conf."""

    section: ClassVar[str] = "notify"

    events: str = Field(
        ", ".join(each for each in EVENTS if each in USUAL),
        description="of which events it hears, separated by commas; * for all",
    )

    @field_validator("events")
    @classmethod
    def _are_events(cls, value: str) -> str:
        if value.strip() != "*" and not set(split_list(value)) <= set(EVENTS):
            raise ValueError(f"expected * or some of {', '.join(EVENTS)}, separated by commas")
        return value

    @property
    def chosen(self) -> frozenset[str]:
        """The events of which it hears."""
        return frozenset(EVENTS if self.events.strip() == "*" else split_list(self.events))
