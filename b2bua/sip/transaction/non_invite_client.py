"""The non-INVITE client transaction: RFC 3261 figure 6."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from b2bua.sip.transaction.transaction import (
    DELIVER,
    TIMED_OUT,
    UNREACHABLE,
    Command,
    Send,
    Timers,
    Transaction,
    TransactionEvent,
)


class NonInviteClientState(StrEnum):
    """The states of RFC 3261 figure 6."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"  # a final response came; its repetitions are absorbed
    TERMINATED = "terminated"


TRANSITIONS: dict[NonInviteClientState, dict[TransactionEvent, NonInviteClientState]] = {
    NonInviteClientState.TRYING: {
        TransactionEvent.PROVISIONAL: NonInviteClientState.PROCEEDING,
        TransactionEvent.SUCCESS: NonInviteClientState.COMPLETED,
        TransactionEvent.FAILURE: NonInviteClientState.COMPLETED,
        TransactionEvent.TIMER_E: NonInviteClientState.TRYING,
        TransactionEvent.TIMER_F: NonInviteClientState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: NonInviteClientState.TERMINATED,
    },
    NonInviteClientState.PROCEEDING: {
        TransactionEvent.PROVISIONAL: NonInviteClientState.PROCEEDING,
        TransactionEvent.SUCCESS: NonInviteClientState.COMPLETED,
        TransactionEvent.FAILURE: NonInviteClientState.COMPLETED,
        TransactionEvent.TIMER_E: NonInviteClientState.PROCEEDING,
        TransactionEvent.TIMER_F: NonInviteClientState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: NonInviteClientState.TERMINATED,
    },
    NonInviteClientState.COMPLETED: {
        TransactionEvent.PROVISIONAL: NonInviteClientState.COMPLETED,
        TransactionEvent.SUCCESS: NonInviteClientState.COMPLETED,
        TransactionEvent.FAILURE: NonInviteClientState.COMPLETED,
        TransactionEvent.TIMER_K: NonInviteClientState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: NonInviteClientState.COMPLETED,
    },
    NonInviteClientState.TERMINATED: {},
}


class NonInviteClient(Transaction, kw_only=True, tag=True):
    """Sends a request that is no INVITE until a final response comes. Time in seconds, on the
    caller's clock."""

    TRANSITIONS = TRANSITIONS

    state: NonInviteClientState = NonInviteClientState.TRYING

    @classmethod
    def open(
        cls, request: bytes, now: float, timers: Timers, reliable: bool = False
    ) -> tuple[Self, list[Command]]:
        """A new machine and its first commands."""
        machine = cls(timers=timers, stored=request, reliable=reliable, interval=timers.t1)
        machine._start(now, e=timers.t1, f=timers.timeout)
        return machine, [Send(request)]

    def _act(self, before: StrEnum, event: TransactionEvent, now: float, message: bytes) -> list[Command]:
        match event:
            case TransactionEvent.TIMER_E:
                # RFC 3261 section 17.1.2.2: doubling up to T2, and at T2 once a provisional has
                # come.
                doubled = min(2 * self.interval, self.timers.t2)
                self.interval = self.timers.t2 if before is NonInviteClientState.PROCEEDING else doubled
                self.due[TransactionEvent.TIMER_E] = now + self.interval
                return [Send(self.stored)]
            case TransactionEvent.PROVISIONAL if before is not NonInviteClientState.COMPLETED:
                return [DELIVER]
            case TransactionEvent.SUCCESS | TransactionEvent.FAILURE if (
                before is not NonInviteClientState.COMPLETED
            ):
                self.stored = b""
                self._start(now, k=self.timers.t4)
                return [DELIVER]
            case TransactionEvent.TIMER_F:
                self.due = {}
                return [TIMED_OUT]
            case TransactionEvent.TRANSPORT_ERROR if before is not NonInviteClientState.COMPLETED:
                self.due = {}
                return [UNREACHABLE]
            case _:
                return []
