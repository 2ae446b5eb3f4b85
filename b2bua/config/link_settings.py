"""Model of `[links]`: payment links, and the company's own service that sends them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from b2bua.call.link import MAX_EXPIRES, MIN_EXPIRES
from b2bua.config.webhook_target import WebhookTarget


class LinkSettings(WebhookTarget):
    """`[links]` of sip.conf. Its service sends links by SMS or e-mail."""

    section: ClassVar[str] = "links"

    expires: float = Field(
        86_400.0, ge=MIN_EXPIRES, le=MAX_EXPIRES, description="seconds that a payment link is open"
    )
