"""Builds what sends the events of payments to the company's own services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from b2bua.config.event_settings import EventWebhookSettings, webhook_name
from b2bua.config.settings import SignallingSettings
from b2bua.notify.endpoint import Endpoint
from b2bua.notify.sender import Sender
from tonewall.ini import ConfigError

_CONTENT_TYPE: Final = "application/cloudevents+json"


def build_sender(header: str, settings: EventWebhookSettings) -> Sender:
    """The service of a `[webhook NAME]`. Raises ConfigError where its certificate authorities
    cannot be used, or its key cannot be read any more."""
    try:
        return Sender(settings.url, settings.read_key(), settings.ca_file, content_type=_CONTENT_TYPE)
    except OSError:  # ssl.SSLError, too
        raise ConfigError(f"[{header}] ca_file: expected certificates, as a PEM file") from None
    except ValueError as error:
        raise ConfigError(f"[{header}] {error}") from None


def build_endpoints(webhooks: Mapping[str, EventWebhookSettings]) -> list[Endpoint]:
    """All services, in their order. Raises ConfigError as above."""
    return [
        Endpoint(webhook_name(header), build_sender(header, each), each.kinds)
        for header, each in webhooks.items()
        if each.url
    ]


def event_source(settings: SignallingSettings) -> str:
    """Who sends the events, as a URI."""
    return f"urn:tonewall:{settings.general.realm}"
