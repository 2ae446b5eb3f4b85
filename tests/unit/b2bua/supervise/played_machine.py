"""Processes that a test plays for the supervisor, and its settings."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from b2bua.config.reading import read_signalling
from b2bua.config.settings import Settings
from b2bua.supervise.supervisor import Supervisor
from media.settings import MediaSettings
from provider_adapters.settings import ProviderSettings
from provider_adapters.webhook.settings import WebhookSettings
from tests.stack import until
from tonewall.ini import load

KEY = "sk-live-7c4fe1"
PASSWORD = "digest-secret"
SIGNING = "whsec_0123456789abcdef"
TOKEN = "agent:0123456789abcdef"


class Process:
    """A child as asyncio shows it; it ends when it is asked to, by `end`, or (`stubborn`) by
    SIGKILL only."""

    _pids = itertools.count(70000)

    def __init__(
        self, module: str, arguments: tuple[str, ...], environment: dict[str, str], handed: list[int]
    ) -> None:
        self.module, self.arguments, self.environment = module, arguments, environment
        self.pid = next(self._pids)
        self.inherited = {number: os.dup(number) for number in handed}
        self.stubborn = False
        self.signals: list[str] = []
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(self, status: int) -> None:
        if not self._status.done():
            self._status.set_result(status)

    async def wait(self) -> int:
        return await asyncio.shield(self._status)

    def terminate(self) -> None:
        self.signals.append("TERM")
        if not self.stubborn:
            self.end(-15)

    def kill(self) -> None:
        self.signals.append("KILL")
        self.end(-9)

    @property
    def handed(self) -> list[int]:
        """What it inherited, in the order in which it was passed."""
        return list(self.inherited.values())

    @property
    def running(self) -> bool:
        return not self._status.done()


class Machine:
    """What was started, in order."""

    def __init__(self) -> None:
        self.started: list[Process] = []

    async def start(
        self, program: str, _m: str, _start: str, module: str, *arguments: str, **options: object
    ) -> Process:
        assert program == sys.executable
        assert options["start_new_session"]
        process = Process(module, arguments, options["env"], list(options["pass_fds"]))  # type: ignore[arg-type,call-overload]
        self.started.append(process)
        return process

    def of(self, module: str) -> list[Process]:
        return [process for process in self.started if process.module == module]


def settings(directory: Path, ready: int = 1, drain_time: str = "0", api_port: int = 0) -> Settings:
    sections = {
        "general": {"directory": str(directory / "run"), "port": "0", "drain_time": drain_time},
        "carrier": {"host": "192.0.2.1", "username": "u", "password": PASSWORD},
        "pbx": {"host": "192.0.2.2"},
        "api": {"tokens": TOKEN, "port": str(api_port)},
        "media": {"ports": "30000-30099"},
        "provider": {"url": "https://payments.example", "api_key": KEY, "ready": str(ready)},
        "webhooks": {"port": "8443", "secret": SIGNING},
    }
    return Settings(
        read_signalling(sections),
        load(MediaSettings, sections),
        {"provider": load(ProviderSettings, sections)},
        {"webhooks": load(WebhookSettings, sections)},
    )


@asynccontextmanager
async def running(
    machine: Machine, directory: Path, ready: int = 1, drain_time: str = "0"
) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(settings(directory, ready, drain_time))
    task = asyncio.create_task(supervisor.run())
    await until(lambda: len(machine.started) >= 5 + ready, "a process")
    try:
        yield supervisor
    finally:
        supervisor.stop()
        async with asyncio.timeout(5):
            while not task.done():
                for process in machine.started:  # payers end by themselves, once media has gone
                    if (
                        process.module == "provider_adapters.payer.process"
                        and not machine.of("media.process")[-1].running
                    ):
                        process.end(0)
                await asyncio.sleep(0.005)
        await task
