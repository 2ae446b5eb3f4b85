"""The processes that talk with a provider and have no card: arguments and environment of each."""

from __future__ import annotations

from pathlib import Path

from b2bua.config.settings import Settings
from provider_adapters.settings import provider_name
from tonewall.ini import to_environment
from tonewall.process import card_environment


def reconciler(settings: Settings, path: Path) -> tuple[list[str], dict[str, str]]:
    """The one that follows charges. `path`: of the socket that it makes."""
    module = ["provider_adapters.reconciler.process", "--socket", str(path)]
    module += ["--log-level", settings.signalling.general.log_level]
    # It never has a card, but a provider's answer may quote one.
    return module, card_environment(settings.provider_environment())


def webhooks(settings: Settings, header: str, path: Path) -> tuple[list[str], dict[str, str]]:
    """The one that receives the webhooks of a section. `path`: of the reconciler's socket."""
    provider = settings.provider_header(header)
    module = ["provider_adapters.webhook.process", "--socket", str(path)]
    module += ["--adapter", settings.providers[provider].adapter, "--provider", provider_name(provider)]
    module += ["--log-level", settings.signalling.general.log_level]
    return module, card_environment(to_environment(settings.webhooks[header]))
