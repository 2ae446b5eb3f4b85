"""Builds what `[api]` and `[access]` say of teams, limits and sessions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from b2bua.access.authority import Authority
from b2bua.access.sessions import Sessions
from b2bua.access.sign_in import SignIn, SignInResult
from b2bua.access.teams import Teams
from b2bua.config.limits import read_limits
from b2bua.config.settings import ApiSettings, SignallingSettings
from tonewall.ini import ConfigError

_T = TypeVar("_T")


def build_authority(settings: ApiSettings) -> Authority:
    """Who may do what, with these settings."""
    return Authority(Teams.parse(settings.teams), read_limits(settings.refund_limit))


def open_sign_in(
    settings: SignallingSettings, now: Callable[[], float], count: Callable[[SignInResult], None]
) -> SignIn | None:
    """The people with a password here, where `[access]` has a directory. Raises ConfigError."""
    directory = settings.access.directory
    if directory is None:
        return None
    return _opened(lambda: SignIn(directory, now, settings.access.needs_app, count), directory)


def open_sessions(settings: SignallingSettings, now: Callable[[], float]) -> Sessions | None:
    """The sessions, where `[access]` has a directory; `now`: seconds since the epoch. Raises
    ConfigError where their file cannot be used."""
    directory = settings.access.directory
    if directory is None:
        return None
    idle, life = settings.api.idle_time, settings.access.session_life
    return _opened(lambda: Sessions(directory, now, idle=idle, life=life), directory)


def _opened(opening: Callable[[], _T], directory: Path) -> _T:
    try:
        return opening()
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ConfigError(f"[access] directory: {directory} cannot be used ({why})") from None
