"""A 2xx to an INVITE is sent again until its ACK comes (RFC 3261 section 13.3.1.4), a reliable
provisional answer until its PRACK (RFC 3262 section 3).

Rule 1: this is the dialog's task, not the transaction's, because ACK and PRACK are transactions of
        their own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import msgspec

from b2bua.sip.transaction.transaction import TIMED_OUT, Command, Send, Timers


class State(StrEnum):
    """Where an answer that must arrive stands."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    LOST = "lost"  # nothing in 64*T1: the session is to be ended


class Event(StrEnum):
    """What can happen to it."""

    ACK = "ack"  # ACK or PRACK
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
    """One answer on its way. Time in seconds, on the caller's clock."""

    timers: Timers
    response: bytes
    cseq: int  # of the INVITE, which the ACK carries too; or the RSeq that a PRACK names
    next: float
    last: float
    interval: float
    longest: float  # interval
    state: State = State.WAITING

    @classmethod
    def open(
        cls, response: bytes, cseq: int, now: float, timers: Timers, longest: float | None = None
    ) -> Self:
        """Watch over `response`, which has just been sent once. `longest`: between two times; T2
        where it is not given."""
        most = timers.t2 if longest is None else longest
        return cls(timers, response, cseq, now + timers.t1, now + timers.patience, timers.t1, most)

    def deadline(self) -> float | None:
        """When `elapse` has something to do; None for never."""
        return min(self.next, self.last) if self.state is State.WAITING else None

    def receive(self, event: Event, now: float) -> list[Command]:
        """Take one event; those of time come from `elapse`."""
        self.state = TRANSITIONS[self.state][event]
        if event is Event.REPEAT:
            self.interval = min(2 * self.interval, self.longest)
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
