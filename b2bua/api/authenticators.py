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


def build_authenticators(settings: SignallingSettings) -> Sequence[Authenticator]:
    """The ways, in the order in which they are asked. Raises ConfigError where a file of theirs
    cannot be used."""
    api = settings.api
    found: list[Authenticator] = [Tokens.parse(api.tokens.get_secret_value(), api.roles)]
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
