"""One thing at a time, in order: what an event causes at once waits until the event before it is
done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tonewall.log import get_logger

log = get_logger(__name__)


class RunQueue:
    """What is to be done on one event loop, first come, first served."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], None]] = deque()
        self._busy = False

    def take(self, work: Callable[[], None]) -> None:
        """Do it now; from within work, do it when that and what came before are done."""
        self._queue.append(work)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                try:
                    self._queue.popleft()()
                # Whatever it was, the other calls' events are still to come.
                except Exception as error:
                    log.error("event_failed", exc_info=error)
        finally:
            self._busy = False
