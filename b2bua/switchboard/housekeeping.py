"""Does what is due now and then beside the calls: counts, and old payments."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from collections.abc import Callable

from b2bua.switchboard.call_counts import CallCounts
from b2bua.switchboard.switchboard import Switchboard
from tonewall.log import get_logger

log = get_logger(__name__)
_COUNT_INTERVAL = 2.0  # seconds between two counts of media's sessions
_PRUNE_INTERVAL = 3600.0  # seconds
_DAY = 86_400.0


async def prune_payments(board: Switchboard, retention: float) -> None:
    """Delete payments that are older than so many days, each hour; 0: none."""
    while retention:
        try:
            await board.prune_payments(time.time() - retention * _DAY)
        except sqlite3.Error as error:
            log.error("old_payments_not_deleted", exc_info=error)
        await asyncio.sleep(_PRUNE_INTERVAL)


async def count_sessions(board: Switchboard, counts: CallCounts, clock: Callable[[], float]) -> None:
    """Ask media and the reconciler what there is, every 2 seconds, and count it. `clock`: seconds
    since the epoch."""
    while True:
        health = board.health()
        counts.sample(health["calls"], health["leaks"] if health["media"] else None, clock())
        board.count()
        board.ask_reconciler()
        if not board.calls():
            gc.collect()  # nobody waits, and little is left to search
        await asyncio.sleep(_COUNT_INTERVAL)
