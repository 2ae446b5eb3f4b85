"""Reads sip.conf again: checks it whole, and hands b2bua what has changed.

Rule 1: one reload at a time. A file with any fault changes nothing.
Rule 2: what b2bua could not put in force is not in force: the next b2bua starts with the settings
        before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from b2bua.config.reloading import compare
from b2bua.config.settings import Settings
from b2bua.switchboard.supervised import Reloaded, ReloadSettings
from tonewall.ini import ConfigError
from tonewall.log import get_logger

log = get_logger(__name__)
_PATIENCE = 30.0  # seconds for b2bua's answer


class ReloadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a reload. `faults`: why nothing has changed, a line each; `reloaded`: what is
    in force now; `restart`: what waits for a restart."""

    faults: tuple[str, ...] = ()
    reloaded: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


class _Channel(Protocol):
    @property
    def lives(self) -> bool: ...
    async def reload(self, request: ReloadSettings, environment: dict[str, str]) -> Reloaded: ...


class Reloads:
    """The reloads of one supervisor. `settings` are those in force."""

    def __init__(self, settings: Settings, read: Callable[[], Settings], channel: _Channel) -> None:
        """`read`: reads and checks the file, in another thread. Raises ConfigError."""
        self.settings, self._read, self._channel = settings, read, channel
        self.ending = False
        self._one = asyncio.Lock()

    async def reload(self, by: str) -> ReloadResult:
        """Read the file again. `by`: who asks, "SIGHUP" or a user of the machine."""
        async with self._one:
            try:
                result = await self._reload(by)
            except ConfigError as error:
                result = ReloadResult(faults=tuple(str(error).splitlines()))
        if result.faults:
            log.error("not_reloaded", agent=by, why="; ".join(result.faults)[:1000], hint="tonewall doctor")
        else:
            log.info("settings_read_again", agent=by, count=len(result.reloaded))
        if result.restart:
            log.warning("restart_needed", agent=by, why=", ".join(result.restart)[:1000])
        return result

    async def _reload(self, by: str) -> ReloadResult:
        if self.ending:
            raise ConfigError("Tonewall is about to end: start it with the new settings")
        found = await asyncio.to_thread(self._read)
        changed = compare(self.settings, found)
        if changed.reloaded and self._channel.lives:
            request = ReloadSettings(by=by, reloaded=changed.reloaded)
            try:
                async with asyncio.timeout(_PATIENCE):
                    answer = await self._channel.reload(request, changed.settings.signalling.environment())
            except (OSError, TimeoutError) as error:
                raise ConfigError(f"b2bua did not answer ({type(error).__name__})") from None
            if answer.why:
                raise ConfigError(answer.why)
        self.settings = changed.settings
        return ReloadResult(reloaded=changed.reloaded, restart=changed.restart)
