"""One timer for all deadlines of the engine.

Rule 1: a watched object says itself when it wants to be woken; a deadline that moved later costs
        nothing until then.
Rule 2: what is over is held no longer: a session's timer of half an hour must not keep a leg that
        ended in the first minute.
Rule 3: deadlines are rounded up to a grain, so that many of them share one wake-up of the loop.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import Protocol

# Of T1: late by so little, a retransmission is as good. Finer, waking for timers cost 0.1 ms a call
# at 20 a second.
GRAIN_OF_T1 = 0.1
_SLACK = 1000  # slots of what is over that may wait for their time
Slot = tuple[float, int]  # when, and which of those that are for then


class Timed(Protocol):
    """What can be watched. `scheduled` belongs to the scheduler; it starts as None."""

    scheduled: Slot | None

    def deadline(self) -> float | None: ...
    def expire(self, now: float) -> None: ...


class Handle(Protocol):
    """What was asked of a loop, and may be called off."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """What an engine needs of asyncio's loops; a test may have its own, with a clock that it
    turns."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[[], None], /) -> Handle: ...
    def call_soon(self, callback: Callable[[], None], /) -> Handle: ...


class Scheduler:
    """A heap of deadlines on the clock of the running loop (`loop.time()`, seconds)."""

    def __init__(self, loop: Loop, grain: float) -> None:
        """`grain` in seconds."""
        self._grain = grain
        self._loop = loop
        self._heap: list[Slot] = []
        # By the second number of their slots; what has none there is over.
        self._timed: dict[int, Timed] = {}
        self._order = count()
        self._handle: Handle | None = None
        self._armed = math.inf

    def now(self) -> float:
        """Return the loop's time, in seconds."""
        return self._loop.time()

    def watch(self, timed: Timed) -> None:
        """Wake `timed` at its deadline. To be called after everything that may have moved the
        deadline earlier."""
        when, slot = timed.deadline(), timed.scheduled
        if when is None or (slot is not None and slot[0] <= when):
            return
        if slot is not None:
            self._timed.pop(slot[1], None)
        timed.scheduled = slot = when, next(self._order)
        self._timed[slot[1]] = timed
        heapq.heappush(self._heap, slot)
        self._arm()

    def forget(self, timed: Timed) -> None:
        """It is over, whatever its deadline was."""
        if timed.scheduled is None:
            return
        self._timed.pop(timed.scheduled[1], None)
        timed.scheduled = None
        if len(self._heap) > 2 * len(self._timed) + _SLACK:
            self._heap = [slot for slot in self._heap if slot[1] in self._timed]
            heapq.heapify(self._heap)

    @property
    def watched(self) -> tuple[Timed, ...]:
        """All that are watched now; for tests of what is left behind."""
        return tuple(self._timed.values())

    def close(self) -> None:
        """Forget everything, and wake no more."""
        self._heap.clear()
        self._timed.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        when = math.ceil(self._heap[0][0] / self._grain) * self._grain
        if when < self._armed:
            if self._handle is not None:
                self._handle.cancel()
            self._armed = when
            self._handle = self._loop.call_at(when, self._wake)

    def _wake(self) -> None:
        # The loop may call a little early (its clock's resolution): what it was armed for is due.
        now = max(self._loop.time(), self._armed)
        self._handle, self._armed = None, math.inf
        while self._heap and self._heap[0][0] <= now:
            timed = self._timed.pop(heapq.heappop(self._heap)[1], None)
            if timed is None:
                continue  # an earlier deadline was scheduled since, or it is over
            timed.scheduled = None
            due = timed.deadline()
            if due is not None and due <= now:
                timed.expire(now)
            self.watch(timed)
        if self._heap:
            self._arm()
