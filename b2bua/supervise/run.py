"""Runs the supervisor to its end, with what signals mean."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from b2bua.config.settings import Settings
from b2bua.supervise.kept import Kept, log_death
from b2bua.supervise.lock_warning import warn_of_lock_limit
from b2bua.supervise.service_manager import ServiceManager
from b2bua.supervise.supervisor import Supervisor
from tonewall.confinement import PLAIN, confine
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)


async def supervise(
    settings: Settings,
    manager: ServiceManager,
    stored: Kept,
    read: Callable[[], Settings],
    config: Path | None = None,
) -> None:
    """Run all processes until SIGTERM or SIGINT, and to the end of a drain where one is configured;
    at SIGHUP `read` the settings again. `manager`, `stored` and `config`: as the supervisor's."""
    confine(PLAIN)
    supervisor = Supervisor(settings, manager=manager, stored=stored, read=read, config=config)
    tasks = BackgroundTasks()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.end)
    loop.add_signal_handler(signal.SIGHUP, lambda: tasks.start(_reload(supervisor), "reload"))
    log.info("starting", pid=os.getpid(), path=str(settings.signalling.general.directory))
    log_death(stored)
    warn_of_lock_limit(settings)
    await supervisor.run()
    log.info("stopped")


async def _reload(supervisor: Supervisor) -> None:
    await supervisor.reloads.reload("SIGHUP")
