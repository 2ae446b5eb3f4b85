"""Background tasks: what they raise is logged and reported, and a cancelled one has not failed."""

from __future__ import annotations

import asyncio

import structlog

from tests.stack import until
from tonewall.tasks import BackgroundTasks


async def fail() -> None:
    raise ValueError("4111111111111111")


async def test_a_failure_is_logged_and_told_to_the_owner() -> None:
    tasks, failures = BackgroundTasks(), []
    with structlog.testing.capture_logs() as lines:
        tasks.start(fail(), "charge", lambda: failures.append("called"))
        await until(lambda: failures, "the owner to be called")
    [line] = lines
    assert (line["log_level"], line["task"], type(line["exc_info"])) == ("error", "charge", ValueError)
    assert len(tasks) == 0


async def test_a_cancelled_task_has_not_failed() -> None:
    tasks, failures = BackgroundTasks(), []
    tasks.start(asyncio.sleep(60), "sleep", lambda: failures.append("called"))
    await asyncio.sleep(0)
    await tasks.cancel()
    assert failures == []
    assert len(tasks) == 0
