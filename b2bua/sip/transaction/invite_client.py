"""The INVITE client transaction: RFC 3261 figure 5, with the Accepted state of RFC 6026.

Rule 1: the ACK for 300-699 is this machine's; the ACK for 2xx is the dialog's.
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
    """The states of RFC 3261 figure 5 and RFC 6026 section 7.2."""

    CALLING = "calling"
    PROCEEDING = "proceeding"
    # A 2xx came; its repetitions, and those of other forks, still belong here.
    ACCEPTED = "accepted"
    COMPLETED = "completed"  # 300-699 came; its repetitions are acknowledged again
    TERMINATED = "terminated"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.CALLING: {
        Event.PROVISIONAL: State.PROCEEDING,
        Event.SUCCESS: State.ACCEPTED,
        Event.FAILURE: State.COMPLETED,
        Event.TIMER_A: State.CALLING,
        Event.TIMER_B: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.PROCEEDING: {
        Event.PROVISIONAL: State.PROCEEDING,
        Event.SUCCESS: State.ACCEPTED,
        Event.FAILURE: State.COMPLETED,
        Event.TRANSPORT_ERROR: State.PROCEEDING,
    },
    State.ACCEPTED: {
        Event.SUCCESS: State.ACCEPTED,
        Event.PROVISIONAL: State.ACCEPTED,  # overtaken on the way
        Event.FAILURE: State.ACCEPTED,  # of another fork
        Event.TIMER_M: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.ACCEPTED,
    },
    State.COMPLETED: {
        Event.FAILURE: State.COMPLETED,
        Event.PROVISIONAL: State.COMPLETED,
        Event.SUCCESS: State.COMPLETED,
        Event.TIMER_D: State.TERMINATED,
        Event.TRANSPORT_ERROR: State.TERMINATED,
    },
    State.TERMINATED: {},
}


class InviteClient(Transaction, kw_only=True, tag=True):
    """Sends an INVITE until something answers. Time in seconds, on the caller's clock."""

    TRANSITIONS = TRANSITIONS

    state: State = State.CALLING

    @classmethod
    def open(
        cls, request: bytes, now: float, timers: Timers, reliable: bool = False
    ) -> tuple[Self, list[Command]]:
        """A new machine and its first commands."""
        machine = cls(timers=timers, again=request, reliable=reliable, interval=timers.t1)
        machine._start(now, a=timers.t1, b=timers.patience)
        return machine, [Send(request)]

    def _act(self, before: StrEnum, event: Event, now: float, message: bytes) -> list[Command]:
        match event:
            case Event.TIMER_A:
                self.interval *= 2
                self.due[Event.TIMER_A] = now + self.interval
                return [Send(self.again)]
            case Event.PROVISIONAL if before in (State.CALLING, State.PROCEEDING):
                self.due = {}
                return [DELIVER]
            case Event.SUCCESS if before is not State.COMPLETED:
                if before is not State.ACCEPTED:
                    self.again = b""
                    self._start(now, m=self.timers.patience)
                return [DELIVER]
            case Event.FAILURE if before in (State.CALLING, State.PROCEEDING):
                self.again = message
                self._start(now, d=self.timers.d)
                return [Send(message), DELIVER]
            case Event.FAILURE if before is State.COMPLETED:
                return [Send(self.again)]
            case Event.TIMER_B:
                self.due = {}
                return [TIMED_OUT]
            case Event.TRANSPORT_ERROR if before is State.CALLING:
                self.due = {}
                return [UNREACHABLE]
            case _:
                if self.state is State.TERMINATED:
                    self.due = {}
                return []
