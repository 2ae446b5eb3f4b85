"""Opens the files below `[access] directory` for a command."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from b2bua.audit.handed_in import CommandLog
from b2bua.commands.configuration import give_up
from b2bua.config.access_settings import AccessSettings
from b2bua.config.audit_log import build_command_log
from b2bua.config.audit_settings import AuditSettings
from tonewall.ini import ConfigError, load, read_file


class _Store(Protocol):
    def close(self) -> None: ...


S = TypeVar("S", bound=_Store)


@contextlib.contextmanager
def opened(
    config: Path | None, opening: Callable[[Path], S], refusal: type[Exception]
) -> Iterator[tuple[S, CommandLog, Path]]:
    """What `opening` opens in the directory of a configuration, the audit log, and the directory.
    Ends the command, with what to do, where it fails, and at a `refusal`."""
    try:
        sections = read_file(config) if config else {}
        directory = load(AccessSettings, sections).directory
        audit = build_command_log(load(AuditSettings, sections))
    except ConfigError as error:
        give_up(f"the configuration is wrong:\n{error}")
    if directory is None:
        give_up("[access] directory: expected a directory; there is none in the configuration")
    if directory.exists() and (owner := directory.stat().st_uid) != os.geteuid():
        give_up(f"{directory} is another user's: run this as the user of Tonewall, as by sudo -u '#{owner}'")
    try:
        with contextlib.closing(opening(directory)) as store:
            yield store, audit, directory
    except refusal as error:
        give_up(str(error))
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        give_up(f"nothing was done: {getattr(error, 'filename', None) or directory}: {why}")
