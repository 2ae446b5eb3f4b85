"""The media threads: a relay each, and which of them a session is on.

Rule 1: all streams of a session are on one thread for its life, so no packet and no command meets
        another thread's lock.
Rule 2: a session goes to the thread that has the fewest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from media._core import Relay
from tonewall.log import get_logger

log = get_logger(__name__)


class MediaThreads:
    """So many relays, by how many sessions each has."""

    def __init__(self, count: int) -> None:
        """Raises OSError."""
        self._sessions = {Relay(): 0 for _ in range(count)}

    def __iter__(self) -> Iterator[Relay]:
        return iter(self._sessions)

    def start(self, *, realtime: bool, coalescing: float, masked_coalescing: float) -> None:
        """Start them: each on a processor of its own where there are enough. The last two: see
        `Relay.start`, in seconds.

        Raises OSError.
        """
        processors = sorted(os.sched_getaffinity(0))
        # One alone may be wherever there is room.
        apart = 1 < len(self._sessions) <= len(processors)
        for relay, processor in zip(self, processors if apart else [-1] * len(self._sessions), strict=False):
            relay.start(processor, round(coalescing * 1e6), round(masked_coalescing * 1e6))
            if realtime:
                _set_realtime(relay)

    def stop(self) -> None:
        """End all threads and close their streams."""
        for relay in self:
            relay.stop()

    def least_busy(self) -> Relay:
        """The relay that a new session should be on."""
        return min(self._sessions, key=self._sessions.__getitem__)

    def take_decoder(self, descriptor: int) -> None:
        """A decoder process was started: it is for a thread that has none. Owns the descriptor."""
        wanting = next((relay for relay in self if not relay.has_decoder()), next(iter(self)))
        try:
            wanting.set_decoder(descriptor)
        except (OSError, RuntimeError) as error:
            os.close(descriptor)
            log.error(
                "no_decoder", hint="codecs that it would look into are silent while masked", exc_info=error
            )

    def add_session(self, relay: Relay) -> None:
        """A session is on it."""
        self._sessions[relay] += 1

    def remove_session(self, relay: Relay) -> None:
        """That session is over."""
        self._sessions[relay] -= 1


def _set_realtime(relay: Relay) -> None:
    try:
        relay.set_realtime()
    except OSError as error:
        log.warning(
            "thread_not_realtime",
            why=error.strerror,
            hint="set LimitRTPRIO=1 (systemd), --ulimit rtprio=1 (container), or [media] realtime = no",
        )
