"""The INVITE server transaction: RFC 3261 figure 7, with the Accepted state of RFC 6026.

Rule 1: 300-699 is sent again by this machine until the ACK; 2xx is sent again by the leg (RFC 3261
        section 13.3.1.4).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from b2bua.sip.transaction.transaction import (
    DELIVER,
    TIMED_OUT,
    UNREACHABLE,
    Command,
    Event,
    Send,
    Timers,
    Transaction,
)


class State(StrEnum):
    """The states of RFC 3261 figure 7 and RFC 6026 section 7.1."""

    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"  # we sent a 2xx; repetitions of the INVITE are absorbed
    COMPLETED = "completed"  # we sent 300-699 and wait for the ACK
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.PROCEEDING: {
        Event.REQUEST: State.PROCEEDING,
        Event.ACK: State.PROCEEDING,  # for nothing: absorbed
        Event.PROVISIONAL: State.PROCEEDING,
        Event.SUCCESS: State.ACCEPTED,
        Event.FAILURE: State.COMPLETED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.ACCEPTED: {
        Event.REQUEST: State.ACCEPTED,
        Event.ACK: State.ACCEPTED,
        Event.SUCCESS: State.ACCEPTED,
        Event.TIMER_L: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.ACCEPTED,
    },
    State.COMPLETED: {
        Event.REQUEST: State.COMPLETED,
        Event.ACK: State.CONFIRMED,
        Event.TIMER_G: State.COMPLETED,
        Event.TIMER_H: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.CONFIRMED: {
        Event.REQUEST: State.CONFIRMED,
        Event.ACK: State.CONFIRMED,
        Event.TIMER_I: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.CONFIRMED,
    },
    State.TERMINATED: {},
}


class InviteServer(Transaction, kw_only=True, tag=True):
    """Answers an INVITE, each repetition alike. Time in seconds, on the caller's clock."""

    TRANSITIONS = TRANSITIONS

    state: State = State.PROCEEDING

    @classmethod
    def open(cls, timers: Timers, reliable: bool = False) -> Self:
        """A new machine; it waits for what its user answers."""
        return cls(timers=timers, again=b"", reliable=reliable)

    def _act(self, before: StrEnum, event: Event, now: float, message: bytes) -> list[Command]:
        match event:
            case Event.REQUEST if before in (State.PROCEEDING, State.COMPLETED) and self.again:
                return [Send(self.again)]
            case Event.PROVISIONAL:
                self.again = message
                return [Send(message)]
            case Event.SUCCESS:
                if before is State.PROCEEDING:
                    self.again = b""
                    self._start(now, l=self.timers.patience)
                return [Send(message)]
            case Event.FAILURE:
                self.again = message
                self.interval = self.timers.t1
                self._start(now, g=self.timers.t1, h=self.timers.patience)
                return [Send(message)]
            case Event.TIMER_G:
                self.interval = min(2 * self.interval, self.timers.t2)
                self.due[Event.TIMER_G] = now + self.interval
                return [Send(self.again)]
            case Event.ACK if before is State.COMPLETED:
                self.again = b""
                self._start(now, i=self.timers.t4)
                return []
            case Event.ACK if before is State.ACCEPTED:
                return [DELIVER]
            case Event.TIMER_H:
                self.due = {}
                return [TIMED_OUT]
            case Event.TRANSPORT_ERROR if before in (State.PROCEEDING, State.COMPLETED):
                self.due = {}
                return [UNREACHABLE]
            case _:
                return []
