"""A typed client of the API, for programs of the company's own: docs/integrating.md."""

from tonewall.client.async_client import AsyncClient
from tonewall.client.client import Client
from tonewall.client.errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    Invalid,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    NotYours,
    OrderCharged,
    TonewallError,
    TooMany,
    Unavailable,
    WebhookRefused,
)
from tonewall.client.feed import FeedEvent
from tonewall.client.webhooks import WebhookEvent, verify_webhook

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "FeedEvent",
    "Invalid",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "NotYours",
    "OrderCharged",
    "TonewallError",
    "TooMany",
    "Unavailable",
    "WebhookEvent",
    "WebhookRefused",
    "verify_webhook",
]
