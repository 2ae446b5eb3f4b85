"""A 2xx to an INVITE is sent again until its ACK comes: RFC 3261 section 13.3.1.4.

Rule 1: this is the dialog's task, not the transaction's, because the ACK for a 2xx is a transaction of its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import msgspec

from b2bua.sip.transaction import TIMED_OUT, Command, Send, Timers


class State(StrEnum):
    """Where a 2xx stands."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    LOST = "lost"  # no ACK in 64*T1: the session is to be ended with a BYE


class Event(StrEnum):
    """What can happen to it."""

    ACK = "ack"
    REPEAT = "repeat"  # the interval is over
    GIVE_UP = "give up"  # 64*T1 are over
    ABANDON = "abandon"  # the dialog ended otherwise


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.WAITING: {
        Event.ACK: State.CONFIRMED,
        Event.REPEAT: State.WAITING,
        Event.GIVE_UP: State.LOST,
        Event.ABANDON: State.CONFIRMED,
    },
    State.CONFIRMED: {Event.ACK: State.CONFIRMED, Event.ABANDON: State.CONFIRMED},
    State.LOST: {Event.ACK: State.LOST, Event.ABANDON: State.LOST},
}


class ReliableAnswer(msgspec.Struct):
    """One 2xx on its way. Time in seconds, on the caller's clock."""

    timers: Timers
    response: bytes
    cseq: int  # of the INVITE; the ACK carries the same
    next: float
    last: float
    interval: float
    state: State = State.WAITING

    @classmethod
    def open(cls, response: bytes, cseq: int, now: float, timers: Timers) -> Self:
        """Watch over `response`, which has just been sent once."""
        return cls(timers, response, cseq, now + timers.t1, now + timers.patience, timers.t1)

    def deadline(self) -> float | None:
        """When `elapse` has something to do; None for never."""
        return min(self.next, self.last) if self.state is State.WAITING else None

    def receive(self, event: Event, now: float) -> list[Command]:
        """Take one event; those of time come from `elapse`."""
        self.state = TRANSITIONS[self.state][event]
        if event is Event.REPEAT:
            self.interval = min(2 * self.interval, self.timers.t2)
            self.next = now + self.interval
            return [Send(self.response)]
        return [TIMED_OUT] if event is Event.GIVE_UP else []

    def elapse(self, now: float) -> list[Command]:
        """The passing of time."""
        if self.state is not State.WAITING:
            return []
        if self.last <= now:
            return self.receive(Event.GIVE_UP, now)
        return self.receive(Event.REPEAT, now) if self.next <= now else []
