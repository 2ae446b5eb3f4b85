"""Counts the payments of the table by time, agent and outcome, beside those who write it.

Rule 1: the connection reads alone, and is another than the one that notes charges: none of these
        waits for a count (SQLite, WAL).
Rule 2: of a payment there are its agent's name, its stage or outcome, and the reason of an outcome.

Its method blocks: b2bua.switchboard.statistics calls it on a thread of its own.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

# A view that is no JSON any more counts without agent and reason.
_COUNT: Final = """
    WITH chosen AS (
        SELECT CAST(started_at / ? AS INTEGER) AS slot, stage, outcome, CAST(view AS TEXT) AS view
        FROM payments WHERE started_at >= ? AND started_at < ?
    ), readable AS (
        SELECT slot, stage, outcome, CASE WHEN json_valid(view) THEN view ELSE '{}' END AS view FROM chosen
    )
    SELECT slot, COALESCE(outcome, stage) AS state, COALESCE(json_extract(view, '$.agent'), '') AS agent,
        COALESCE(json_extract(view, '$.outcome.reason'), '') AS reason, COUNT(*)
    FROM readable GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT ?
"""
MAX_GROUPS: Final = 50_000


class PaymentCount(msgspec.Struct, frozen=True):
    """Payments that began in the step `slot` (a number since the epoch, in steps), and are alike.
    `state`: the outcome, or the stage where there is none."""

    slot: int
    state: str
    agent: str
    reason: str
    count: int


class PaymentCounts:
    """The file of payments at `path`. For one thread. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        self._database.execute("PRAGMA query_only=ON")

    def count(self, since: float, until: float, width: int) -> list[PaymentCount]:
        """Those that began in [since, until), seconds since the epoch, in steps of `width` seconds.
        Raises sqlite3.Error."""
        rows = self._database.execute(_COUNT, (width, since, until, MAX_GROUPS))
        return [PaymentCount(*row) for row in rows]

    def close(self) -> None:
        self._database.close()
