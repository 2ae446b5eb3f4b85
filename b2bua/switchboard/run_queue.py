"""Runs one piece of work at a time, in order: what an event causes waits until the event is
done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tonewall.log import get_logger

log = get_logger(__name__)


class RunQueue:
    """The work of one event loop, first come, first served."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], None]] = deque()
        self._busy = False

    def run(self, work: Callable[[], None]) -> None:
        """Run it now; from within other work, after that and all that was queued before."""
        self._queue.append(work)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                try:
                    self._queue.popleft()()
                # The events of other calls are still to come.
                except Exception as error:
                    log.error("event_failed", exc_info=error)
        finally:
            self._busy = False
