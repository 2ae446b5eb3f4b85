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
    Send,
    Timers,
    Transaction,
    TransactionEvent,
)


class InviteServerState(StrEnum):
    """The states of RFC 3261 figure 7 and RFC 6026 section 7.1."""

    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"  # we sent a 2xx; repetitions of the INVITE are absorbed
    COMPLETED = "completed"  # we sent 300-699 and wait for the ACK
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


TRANSITIONS: dict[InviteServerState, dict[TransactionEvent, InviteServerState]] = {
    InviteServerState.PROCEEDING: {
        TransactionEvent.REQUEST: InviteServerState.PROCEEDING,
        TransactionEvent.ACK: InviteServerState.PROCEEDING,  # for nothing: absorbed
        TransactionEvent.PROVISIONAL: InviteServerState.PROCEEDING,
        TransactionEvent.SUCCESS: InviteServerState.ACCEPTED,
        TransactionEvent.FAILURE: InviteServerState.COMPLETED,
        TransactionEvent.TRANSPORT_ERROR: InviteServerState.TERMINATED,
    },
    InviteServerState.ACCEPTED: {
        TransactionEvent.REQUEST: InviteServerState.ACCEPTED,
        TransactionEvent.ACK: InviteServerState.ACCEPTED,
        TransactionEvent.SUCCESS: InviteServerState.ACCEPTED,
        TransactionEvent.TIMER_L: InviteServerState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: InviteServerState.ACCEPTED,
    },
    InviteServerState.COMPLETED: {
        TransactionEvent.REQUEST: InviteServerState.COMPLETED,
        TransactionEvent.ACK: InviteServerState.CONFIRMED,
        TransactionEvent.TIMER_G: InviteServerState.COMPLETED,
        TransactionEvent.TIMER_H: InviteServerState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: InviteServerState.TERMINATED,
    },
    InviteServerState.CONFIRMED: {
        TransactionEvent.REQUEST: InviteServerState.CONFIRMED,
        TransactionEvent.ACK: InviteServerState.CONFIRMED,
        TransactionEvent.TIMER_I: InviteServerState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: InviteServerState.CONFIRMED,
    },
    InviteServerState.TERMINATED: {},
}


class InviteServer(Transaction, kw_only=True, tag=True):
    """Answers an INVITE, each repetition alike. Time in seconds, on the caller's clock."""

    TRANSITIONS = TRANSITIONS

    state: InviteServerState = InviteServerState.PROCEEDING

    @classmethod
    def open(cls, timers: Timers, reliable: bool = False) -> Self:
        """A new machine; it waits for what its user answers."""
        return cls(timers=timers, stored=b"", reliable=reliable)

    def _act(self, before: StrEnum, event: TransactionEvent, now: float, message: bytes) -> list[Command]:
        match event:
            case TransactionEvent.REQUEST if (
                before in (InviteServerState.PROCEEDING, InviteServerState.COMPLETED) and self.stored
            ):
                return [Send(self.stored)]
            case TransactionEvent.PROVISIONAL:
                self.stored = message
                return [Send(message)]
            case TransactionEvent.SUCCESS:
                if before is InviteServerState.PROCEEDING:
                    self.stored = b""
                    self._start(now, l=self.timers.timeout)
                return [Send(message)]
            case TransactionEvent.FAILURE:
                self.stored = message
                self.interval = self.timers.t1
                self._start(now, g=self.timers.t1, h=self.timers.timeout)
                return [Send(message)]
            case TransactionEvent.TIMER_G:
                self.interval = min(2 * self.interval, self.timers.t2)
                self.due[TransactionEvent.TIMER_G] = now + self.interval
                return [Send(self.stored)]
            case TransactionEvent.ACK if before is InviteServerState.COMPLETED:
                self.stored = b""
                self._start(now, i=self.timers.t4)
                return []
            case TransactionEvent.ACK if before is InviteServerState.ACCEPTED:
                return [DELIVER]
            case TransactionEvent.TIMER_H:
                self.due = {}
                return [TIMED_OUT]
            case TransactionEvent.TRANSPORT_ERROR if before in (
                InviteServerState.PROCEEDING,
                InviteServerState.COMPLETED,
            ):
                self.due = {}
                return [UNREACHABLE]
            case _:
                return []
