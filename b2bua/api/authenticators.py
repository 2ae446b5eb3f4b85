"""Builds the ways in which people and programs are known, as the settings want them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from b2bua.access.certificates import CertificateAuthenticator
from b2bua.access.key_authenticator import KeyAuthenticator
from b2bua.access.principal import Authenticator
from b2bua.access.tokens import Tokens
from b2bua.config.settings import SignallingSettings
from tonewall.ini import ConfigError


def build_authenticators(
    settings: SignallingSettings, tokens_of_file: Tokens | None = None
) -> Sequence[Authenticator]:
    """The ways, in the order in which they are asked. `tokens_of_file`: those of `[api] tokens`,
    where a reload is to change them. Raises ConfigError where a file of theirs cannot be used."""
    found: list[Authenticator] = [tokens_of_file or build_tokens(settings)]
    if settings.access.directory is not None:
        try:
            keys = KeyAuthenticator(settings.access.directory)
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigError(f"[access] directory: the keys in it cannot be read ({why})") from None
        found.append(keys)
    tokens = settings.oauth.authenticator()
    if tokens is not None:
        found.append(tokens)
    clients = [each.client(header.partition(" ")[2]) for header, each in settings.clients.items()]
    if clients:
        found.append(CertificateAuthenticator({each.mark: each for each in clients if each.mark}))
    return found


def build_tokens(settings: SignallingSettings) -> Tokens:
    """The tokens of sip.conf. Raises ValueError."""
    return Tokens.parse(settings.api.tokens.get_secret_value(), settings.api.roles)
