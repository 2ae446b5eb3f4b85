"""The non-INVITE server transaction: RFC 3261 figure 8."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from b2bua.sip.transaction.transaction import (
    UNREACHABLE,
    Command,
    Send,
    Timers,
    Transaction,
    TransactionEvent,
)


class NonInviteServerState(StrEnum):
    """The states of RFC 3261 figure 8."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"  # we answered; repetitions get the same answer
    TERMINATED = "terminated"


TRANSITIONS: dict[NonInviteServerState, dict[TransactionEvent, NonInviteServerState]] = {
    NonInviteServerState.TRYING: {
        TransactionEvent.REQUEST: NonInviteServerState.TRYING,
        TransactionEvent.PROVISIONAL: NonInviteServerState.PROCEEDING,
        TransactionEvent.SUCCESS: NonInviteServerState.COMPLETED,
        TransactionEvent.FAILURE: NonInviteServerState.COMPLETED,
        TransactionEvent.TRANSPORT_ERROR: NonInviteServerState.TERMINATED,
    },
    NonInviteServerState.PROCEEDING: {
        TransactionEvent.REQUEST: NonInviteServerState.PROCEEDING,
        TransactionEvent.PROVISIONAL: NonInviteServerState.PROCEEDING,
        TransactionEvent.SUCCESS: NonInviteServerState.COMPLETED,
        TransactionEvent.FAILURE: NonInviteServerState.COMPLETED,
        TransactionEvent.TRANSPORT_ERROR: NonInviteServerState.TERMINATED,
    },
    NonInviteServerState.COMPLETED: {
        TransactionEvent.REQUEST: NonInviteServerState.COMPLETED,
        TransactionEvent.TIMER_J: NonInviteServerState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: NonInviteServerState.TERMINATED,
    },
    NonInviteServerState.TERMINATED: {},
}


class NonInviteServer(Transaction, kw_only=True, tag=True):
    """Answers a request that is no INVITE, each repetition alike. Time in seconds, on the caller's
    clock."""

    TRANSITIONS = TRANSITIONS

    state: NonInviteServerState = NonInviteServerState.TRYING

    @classmethod
    def open(cls, timers: Timers, reliable: bool = False) -> Self:
        """A new machine; it waits for what its user answers."""
        return cls(timers=timers, stored=b"", reliable=reliable)

    def _act(self, before: StrEnum, event: TransactionEvent, now: float, message: bytes) -> list[Command]:
        match event:
            case TransactionEvent.REQUEST if self.stored:
                return [Send(self.stored)]
            case TransactionEvent.PROVISIONAL:
                self.stored = message
                return [Send(message)]
            case TransactionEvent.SUCCESS | TransactionEvent.FAILURE:
                self.stored = message
                self._start(now, j=self.timers.timeout)
                return [Send(message)]
            case TransactionEvent.TRANSPORT_ERROR:
                self.due = {}
                return [UNREACHABLE]
            case _:
                return []
