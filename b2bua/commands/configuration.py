"""Reads sip.conf for a command, and ends a command that cannot go on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from b2bua.api.auth import Tokens
from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from tonewall.ini import ConfigError

ConfigFile = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="sip.conf; without it, everything comes from TONEWALL_* variables."),
]


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


def give_up(message: str) -> NoReturn:
    """End the command with this message on standard error, and status 2."""
    print(f"tonewall: {message}", file=sys.stderr)
    raise typer.Exit(2)
