"""Reads sip.conf for a command."""

from __future__ import annotations

from pathlib import Path

from b2bua.access.tokens import Tokens
from b2bua.commands.configuration import give_up
from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from tonewall.ini import ConfigError


def load_settings(config: Path | None) -> Settings:
    """All settings. Ends the command, with every fault, where they are wrong."""
    try:
        settings = read_settings(config)
    except ConfigError as error:
        give_up(f"the configuration is wrong:\n{error}")
    try:
        Tokens.parse(settings.signalling.api.tokens.get_secret_value(), settings.signalling.api.roles)
    except ValueError as error:
        give_up(f"the configuration is wrong:\n[api] tokens: {error}")
    return settings
