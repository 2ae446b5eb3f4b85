"""Draining: no new calls are accepted, and those that are up go on to their end.

A drain is over once nothing is left, or after `drain_time`; then what is left ends as at any stop.

Rule 1: every transition is in DRAIN_TRANSITIONS; an event without a row changes nothing.
Rule 2: what belongs to a call that is up is no new call: an INVITE with Replaces, a transfer, a
        payment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from b2bua.call.service_view import Fault

# Retry-After, in seconds: nobody knows when the next Tonewall is there, so that nobody is kept away
# for the whole of a long drain.
_MIN_LATER, _MAX_LATER = 5, 60
_SAYS: Final = "No new calls are accepted: this Tonewall is about to end. Calls that are up go on."


class DrainState(StrEnum):
    ACCEPTING = "accepting"
    DRAINING = "draining"  # new calls are refused, others go on
    ENDING = "ending"  # every call is hung up


class DrainEvent(StrEnum):
    DRAIN = "drain wanted"
    EMPTY = "nothing left"
    OVER = "drain_time over"
    END = "end wanted"


DRAIN_TRANSITIONS: Mapping[DrainState, Mapping[DrainEvent, DrainState]] = {
    DrainState.ACCEPTING: {
        DrainEvent.DRAIN: DrainState.DRAINING,
        DrainEvent.END: DrainState.ENDING,
    },
    DrainState.DRAINING: {
        DrainEvent.EMPTY: DrainState.ENDING,
        DrainEvent.OVER: DrainState.ENDING,
        DrainEvent.END: DrainState.ENDING,
    },
    DrainState.ENDING: {},
}


class Drain:
    """The drain of one process. `now` is in seconds on one clock that never runs backwards."""

    def __init__(self, drain_time: float = 0.0) -> None:
        """`drain_time`: seconds that calls have to end by themselves."""
        self.state = DrainState.ACCEPTING
        self.drain_time = drain_time
        self._until: float | None = None
        self._began = False

    def receive(self, event: DrainEvent, now: float) -> bool:
        """Take an event. Returns whether it changed the state."""
        after = DRAIN_TRANSITIONS[self.state].get(event)
        if after is None:
            return False
        self.state = after
        self._began = self._began or after is DrainState.DRAINING
        self._until = now + self.drain_time if after is DrainState.DRAINING else None
        return True

    def deadline(self) -> float | None:
        """When the drain is over at the latest; None where there is none."""
        return self._until

    def expire(self, now: float) -> bool:
        """End a drain whose time is over. Returns whether it was."""
        due = self._until is not None and now >= self._until
        return due and self.receive(DrainEvent.OVER, now)

    def retry_after(self, now: float) -> int:
        """0: new calls are accepted. Else the seconds after which a caller may try again."""
        if self.state is DrainState.ACCEPTING:
            return 0
        left = self._until - now if self._until is not None else 0.0
        return min(_MAX_LATER, max(_MIN_LATER, math.ceil(left)))

    def fault(self) -> Fault | None:
        """What agents and load balancers are shown meanwhile."""
        return Fault(what="draining", says=_SAYS, stops=None) if self._began else None
