"""The non-INVITE server transaction: RFC 3261 figure 8."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from b2bua.sip.transaction.transaction import UNREACHABLE, Command, Event, Send, Timers, Transaction


class State(StrEnum):
    """The states of RFC 3261 figure 8."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"  # we answered; repetitions get the same answer
    TERMINATED = "terminated"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.TRYING: {
        Event.REQUEST: State.TRYING,
        Event.PROVISIONAL: State.PROCEEDING,
        Event.SUCCESS: State.COMPLETED,
        Event.FAILURE: State.COMPLETED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.PROCEEDING: {
        Event.REQUEST: State.PROCEEDING,
        Event.PROVISIONAL: State.PROCEEDING,
        Event.SUCCESS: State.COMPLETED,
        Event.FAILURE: State.COMPLETED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.COMPLETED: {
        Event.REQUEST: State.COMPLETED,
        Event.TIMER_J: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.TERMINATED: {},
}


class NonInviteServer(Transaction, kw_only=True, tag=True):
    """Answers a request that is no INVITE, each repetition alike. Time in seconds, on the caller's
    clock."""

    TRANSITIONS = TRANSITIONS

    state: State = State.TRYING

    @classmethod
    def open(cls, timers: Timers, reliable: bool = False) -> Self:
        """A new machine; it waits for what its user answers."""
        return cls(timers=timers, again=b"", reliable=reliable)

    def _act(self, before: StrEnum, event: Event, now: float, message: bytes) -> list[Command]:
        match event:
            case Event.REQUEST if self.again:
                return [Send(self.again)]
            case Event.PROVISIONAL:
                self.again = message
                return [Send(message)]
            case Event.SUCCESS | Event.FAILURE:
                self.again = message
                self._start(now, j=self.timers.patience)
                return [Send(message)]
            case Event.TRANSPORT_ERROR:
                self.due = {}
                return [UNREACHABLE]
            case _:
                return []
