"""Health of one hop: OPTIONS and calls decide whether calls are sent there. Sans-IO.

Rule 1: every transition is in TRANSITIONS; an event without a row changes nothing.
Rule 2: any answer but 408 and 503 shows that the hop is alive, also a refusal.
Rule 3: a hop that asked for rest (503 with Retry-After, RFC 3261 section 21.5.4) gets it, whatever
        else is heard of it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

FAILURES = 2  # in a row that take a hop out
SUCCESSES = 2  # in a row that put it back
MAX_REST = 3600.0  # seconds
# Times T1 that a hop may leave an INVITE or OPTIONS without any answer; over UDP it has then been
# sent four times.
HOP_TIMEOUT_OF_T1 = 8


class HealthState(StrEnum):
    """The states of a hop: whether it gets calls."""

    UP = "up"
    FALTERING = "faltering"  # it failed, not often enough to be out
    OUT = "out"
    RECOVERING = "recovering"  # still out; it answered again, not often enough to be in
    RESTING = "resting"  # it said when to come back


class HealthEvent(StrEnum):
    """What is heard of a hop."""

    SUCCESS = "an answer"
    ENOUGH_SUCCESSES = "answers in a row"
    FAILURE = "a failure"
    ENOUGH_FAILURES = "failures in a row"
    REST = "Retry-After"
    RESTED = "the rest is over"


TRANSITIONS: dict[HealthState, dict[HealthEvent, HealthState]] = {
    HealthState.UP: {
        HealthEvent.SUCCESS: HealthState.UP,
        HealthEvent.ENOUGH_SUCCESSES: HealthState.UP,
        HealthEvent.FAILURE: HealthState.FALTERING,
        HealthEvent.ENOUGH_FAILURES: HealthState.OUT,
        HealthEvent.REST: HealthState.RESTING,
    },
    HealthState.FALTERING: {
        HealthEvent.SUCCESS: HealthState.UP,
        HealthEvent.ENOUGH_SUCCESSES: HealthState.UP,
        HealthEvent.FAILURE: HealthState.FALTERING,
        HealthEvent.ENOUGH_FAILURES: HealthState.OUT,
        HealthEvent.REST: HealthState.RESTING,
    },
    HealthState.OUT: {
        HealthEvent.SUCCESS: HealthState.RECOVERING,
        HealthEvent.ENOUGH_SUCCESSES: HealthState.UP,
        HealthEvent.FAILURE: HealthState.OUT,
        HealthEvent.ENOUGH_FAILURES: HealthState.OUT,
        HealthEvent.REST: HealthState.RESTING,
    },
    HealthState.RECOVERING: {
        HealthEvent.SUCCESS: HealthState.RECOVERING,
        HealthEvent.ENOUGH_SUCCESSES: HealthState.UP,
        HealthEvent.FAILURE: HealthState.OUT,
        HealthEvent.ENOUGH_FAILURES: HealthState.OUT,
        HealthEvent.REST: HealthState.RESTING,
    },
    HealthState.RESTING: {
        HealthEvent.REST: HealthState.RESTING,
        HealthEvent.RESTED: HealthState.UP,
    },
}


class Health(msgspec.Struct):
    """One hop's. Times in seconds, on the clock of `now`."""

    state: HealthState = HealthState.UP
    streak: int = 0  # how often the same was heard, failures below zero
    rest_until: float = 0.0  # when the rest is over

    @property
    def usable(self) -> bool:
        """Whether calls are sent to the hop."""
        return self.state in {HealthState.UP, HealthState.FALTERING}

    def record_success(self) -> None:
        """Note an answer."""
        self.streak = max(self.streak, 0) + 1
        self._move(HealthEvent.ENOUGH_SUCCESSES if self.streak >= SUCCESSES else HealthEvent.SUCCESS)

    def record_failure(self) -> None:
        """Note a failure."""
        self.streak = min(self.streak, 0) - 1
        self._move(HealthEvent.ENOUGH_FAILURES if self.streak <= -FAILURES else HealthEvent.FAILURE)

    def start_rest(self, now: float, seconds: float) -> None:
        """Rest as the hop asked: `seconds`, MAX_REST at most."""
        self.rest_until = now + min(max(seconds, 0.0), MAX_REST)
        self.streak = 0
        self._move(HealthEvent.REST)

    def expire(self, now: float) -> None:
        """End a rest that is over."""
        if self.state is HealthState.RESTING and now >= self.rest_until:
            self.streak = 0
            self._move(HealthEvent.RESTED)

    def _move(self, event: HealthEvent) -> None:
        self.state = TRANSITIONS[self.state].get(event, self.state)
