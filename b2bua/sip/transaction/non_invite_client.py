"""The non-INVITE client transaction: RFC 3261 figure 6."""

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
    """The states of RFC 3261 figure 6."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"  # a final response came; its repetitions are absorbed
    TERMINATED = "terminated"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.TRYING: {
        Event.PROVISIONAL: State.PROCEEDING,
        Event.SUCCESS: State.COMPLETED,
        Event.FAILURE: State.COMPLETED,
        Event.TIMER_E: State.TRYING,
        Event.TIMER_F: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.PROCEEDING: {
        Event.PROVISIONAL: State.PROCEEDING,
        Event.SUCCESS: State.COMPLETED,
        Event.FAILURE: State.COMPLETED,
        Event.TIMER_E: State.PROCEEDING,
        Event.TIMER_F: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.COMPLETED: {
        Event.PROVISIONAL: State.COMPLETED,
        Event.SUCCESS: State.COMPLETED,
        Event.FAILURE: State.COMPLETED,
        Event.TIMER_K: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.COMPLETED,
    },
    State.TERMINATED: {},
}


class NonInviteClient(Transaction, kw_only=True, tag=True):
    """Sends a request that is no INVITE until a final response comes. Time in seconds, on the
    caller's clock."""

    TRANSITIONS = TRANSITIONS

    state: State = State.TRYING

    @classmethod
    def open(
        cls, request: bytes, now: float, timers: Timers, reliable: bool = False
    ) -> tuple[Self, list[Command]]:
        """A new machine and its first commands."""
        machine = cls(timers=timers, again=request, reliable=reliable, interval=timers.t1)
        machine._start(now, e=timers.t1, f=timers.patience)
        return machine, [Send(request)]

    def _act(self, before: StrEnum, event: Event, now: float, message: bytes) -> list[Command]:
        match event:
            case Event.TIMER_E:
                # RFC 3261 section 17.1.2.2: doubling up to T2, and at T2 once a provisional has
                # come.
                doubled = min(2 * self.interval, self.timers.t2)
                self.interval = self.timers.t2 if before is State.PROCEEDING else doubled
                self.due[Event.TIMER_E] = now + self.interval
                return [Send(self.again)]
            case Event.PROVISIONAL if before is not State.COMPLETED:
                return [DELIVER]
            case Event.SUCCESS | Event.FAILURE if before is not State.COMPLETED:
                self.again = b""
                self._start(now, k=self.timers.t4)
                return [DELIVER]
            case Event.TIMER_F:
                self.due = {}
                return [TIMED_OUT]
            case Event.TRANSPORT_ERROR if before is not State.COMPLETED:
                self.due = {}
                return [UNREACHABLE]
            case _:
                return []
