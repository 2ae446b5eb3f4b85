"""Runs the table of payments on a thread of its own, because its methods block.

Rule 1: what is asked of the table runs in the order of the calls: a later question finds an earlier
        write.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from b2bua.call.view import NotWell
from b2bua.notify.message import Message
from b2bua.records.payments import PaymentTable
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_NOT_WRITTEN = "The payment cannot be noted down, so nothing was sent. Tell your administrator."
_LAST_WRITES = 2.0  # seconds
P = ParamSpec("P")
R = TypeVar("R")


class PaymentStorage:
    """The table, its thread, and the tasks that write to it. `tasks`: writes that nobody awaits."""

    def __init__(self, table: PaymentTable) -> None:
        self.table = table
        self.tasks = BackgroundTasks()
        self.closed = False
        self._thread = ThreadPoolExecutor(1, "payments")
        # Of the newest attempt that failed, until a write succeeds.
        self._error: str | None = None
        self._trying = False
        # Gets each message about the end of a payment once it is on disk.
        self.on_notice: Callable[[Message], None] = lambda _: None

    def run(self, work: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> asyncio.Future[R]:
        """Run a method of the table. The future raises sqlite3.Error."""
        loop = asyncio.get_running_loop()

        def noting_errors() -> R:
            self.table.notices.take_new()  # of a transaction that failed
            try:
                result = work(*arguments, **keywords)
            except sqlite3.Error as error:
                self._error = str(error)
                raise
            for notice in self.table.notices.take_new():
                loop.call_soon_threadsafe(self.on_notice, notice)
            return result

        return loop.run_in_executor(self._thread, noting_errors)

    async def ask(self, work: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
        """Run a method of the table for an agent. Raises NotWell where the table cannot be used."""
        if self.closed:
            raise NotWell(_NOT_WRITTEN)
        try:
            return await self.run(work, *arguments, **keywords)
        except sqlite3.Error as error:
            log.error("payment_table_failed", setting="[cdr] payments", exc_info=error)
            raise NotWell(_NOT_WRITTEN) from None

    def fault(self) -> str | None:
        """Why no payment can be written now; None where all is well."""
        return self._error or self.table.is_full()

    def retry(self) -> None:
        """Where the last attempt failed, try whether the table can be written again."""
        if self._error is not None and not self._trying and not self.closed:
            self._trying = True
            self.tasks.start(self._try_to_write(), "payments")

    async def _try_to_write(self) -> None:
        try:
            await self.run(self.table.try_to_write)
            self._error = None
        except sqlite3.Error:
            pass  # it is logged, and noted in `_error`
        finally:
            self._trying = False

    async def wait(self) -> None:
        """Wait for the writes that are under way, for a moment at most."""
        await self.tasks.wait(_LAST_WRITES)

    async def close(self) -> None:
        """Write what is left, for a moment at most, and close the table."""
        await self.wait()
        self.closed = True
        await self.tasks.cancel()
        await self.run(self.table.close)
        self._thread.shutdown(wait=False)
