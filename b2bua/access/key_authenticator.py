"""Tells programs by their key, beside the running process.

Rule 1: a use is noted at most once a minute, by another thread: no request waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from b2bua.access.bearer import credentials
from b2bua.access.keys import PREFIX, KeyStore
from b2bua.access.principal import Principal
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_NOTE_INTERVAL: Final = 60.0  # seconds


class KeyAuthenticator:
    """Authenticates by the keys in a directory."""

    def __init__(self, directory: Path, now: Callable[[], float] = time.time) -> None:
        """Raises OSError and sqlite3.Error where they cannot be read."""
        self._directory, self._now = directory, now
        self._store = KeyStore(directory, now)
        self._used: dict[str, float] = {}
        self._tasks = BackgroundTasks()

    async def authenticate(self, scope: Mapping[str, Any]) -> Principal | None:
        """See Authenticator."""
        scheme, text = credentials(scope)
        if scheme != "bearer" or not text.startswith(PREFIX):
            return None
        try:
            key = self._store.verify(text)
        except sqlite3.Error as error:
            log.error("keys_unreadable", exc_info=error)
            return None
        if key is None:
            return None
        self._used[key.id] = self._now()
        if not len(self._tasks):
            self._tasks.start(self._note_soon(), "uses of keys")
        return key.principal()

    def holds(self, principal: Principal) -> bool:
        """See Authenticator."""
        if principal.method != "key":
            return True
        try:
            return self._store.is_valid(principal.credential.removeprefix("key:"))
        except sqlite3.Error as error:
            log.error("keys_unreadable", exc_info=error)
            return False

    async def _note_soon(self) -> None:
        await asyncio.sleep(_NOTE_INTERVAL)
        await self.note_uses()

    async def note_uses(self) -> None:
        """Note the uses since the last time."""
        used, self._used = self._used, {}
        if used:
            try:
                await asyncio.to_thread(self._note, used)
            except (OSError, sqlite3.Error) as error:
                log.warning("key_uses_not_noted", exc_info=error)

    def _note(self, used: dict[str, float]) -> None:
        store = KeyStore(self._directory, self._now)
        try:
            store.note_use(used)
        finally:
            store.close()

    def close(self) -> None:
        """Close the file."""
        self._store.close()
