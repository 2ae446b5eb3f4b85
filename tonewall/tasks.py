"""Background tasks that nobody awaits: a failure is logged, and reported to whoever depends on it.

Rule 1: a task that is not awaited where it is made is started here (tests/architecture holds every
        process to that).
Rule 2: a cancelled task has not failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tonewall.log import get_logger

log = get_logger(__name__)


class BackgroundTasks:
    """The tasks of one owner, held until they end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(
        self, work: Coroutine[Any, Any, None], name: str, on_failure: Callable[[], None] | None = None
    ) -> asyncio.Task[None]:
        """Run `work`. Where it raises, that is logged under `name`, and `on_failure` called."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._on_done(ended, on_failure))
        return task

    def _on_done(self, task: asyncio.Task[None], on_failure: Callable[[], None] | None) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error("background_task_failed", task=task.get_name(), exc_info=error)
            if on_failure is not None:
                on_failure()

    async def wait(self, patience: float) -> None:
        """Wait until all have ended, so many seconds at most."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=patience)

    async def cancel(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
