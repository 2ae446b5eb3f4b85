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
    Send,
    Timers,
    Transaction,
    TransactionEvent,
)


class InviteClientState(StrEnum):
    """The states of RFC 3261 figure 5 and RFC 6026 section 7.2."""

    CALLING = "calling"
    PROCEEDING = "proceeding"
    # A 2xx came; its repetitions, and those of other forks, still belong here.
    ACCEPTED = "accepted"
    COMPLETED = "completed"  # 300-699 came; its repetitions are acknowledged again
    TERMINATED = "terminated"


TRANSITIONS: dict[InviteClientState, dict[TransactionEvent, InviteClientState]] = {
    InviteClientState.CALLING: {
        TransactionEvent.PROVISIONAL: InviteClientState.PROCEEDING,
        TransactionEvent.SUCCESS: InviteClientState.ACCEPTED,
        TransactionEvent.FAILURE: InviteClientState.COMPLETED,
        TransactionEvent.TIMER_A: InviteClientState.CALLING,
        TransactionEvent.TIMER_B: InviteClientState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: InviteClientState.TERMINATED,
    },
    InviteClientState.PROCEEDING: {
        TransactionEvent.PROVISIONAL: InviteClientState.PROCEEDING,
        TransactionEvent.SUCCESS: InviteClientState.ACCEPTED,
        TransactionEvent.FAILURE: InviteClientState.COMPLETED,
        TransactionEvent.TRANSPORT_ERROR: InviteClientState.PROCEEDING,
    },
    InviteClientState.ACCEPTED: {
        TransactionEvent.SUCCESS: InviteClientState.ACCEPTED,
        TransactionEvent.PROVISIONAL: InviteClientState.ACCEPTED,  # overtaken on the way
        TransactionEvent.FAILURE: InviteClientState.ACCEPTED,  # of another fork
        TransactionEvent.TIMER_M: InviteClientState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: InviteClientState.ACCEPTED,
    },
    InviteClientState.COMPLETED: {
        TransactionEvent.FAILURE: InviteClientState.COMPLETED,
        TransactionEvent.PROVISIONAL: InviteClientState.COMPLETED,
        TransactionEvent.SUCCESS: InviteClientState.COMPLETED,
        TransactionEvent.TIMER_D: InviteClientState.TERMINATED,
        TransactionEvent.TRANSPORT_ERROR: InviteClientState.TERMINATED,
    },
    InviteClientState.TERMINATED: {},
}


class InviteClient(Transaction, kw_only=True, tag=True):
    """Sends an INVITE until something answers. Time in seconds, on the caller's clock."""

    TRANSITIONS = TRANSITIONS

    state: InviteClientState = InviteClientState.CALLING

    @classmethod
    def open(
        cls, request: bytes, now: float, timers: Timers, reliable: bool = False
    ) -> tuple[Self, list[Command]]:
        """A new machine and its first commands."""
        machine = cls(timers=timers, stored=request, reliable=reliable, interval=timers.t1)
        machine._start(now, a=timers.t1, b=timers.timeout)
        return machine, [Send(request)]

    def _act(self, before: StrEnum, event: TransactionEvent, now: float, message: bytes) -> list[Command]:
        match event:
            case TransactionEvent.TIMER_A:
                self.interval *= 2
                self.due[TransactionEvent.TIMER_A] = now + self.interval
                return [Send(self.stored)]
            case TransactionEvent.PROVISIONAL if before in (
                InviteClientState.CALLING,
                InviteClientState.PROCEEDING,
            ):
                self.due = {}
                return [DELIVER]
            case TransactionEvent.SUCCESS if before is not InviteClientState.COMPLETED:
                if before is not InviteClientState.ACCEPTED:
                    self.stored = b""
                    self._start(now, m=self.timers.timeout)
                return [DELIVER]
            case TransactionEvent.FAILURE if before in (
                InviteClientState.CALLING,
                InviteClientState.PROCEEDING,
            ):
                self.stored = message
                self._start(now, d=self.timers.d)
                return [Send(message), DELIVER]
            case TransactionEvent.FAILURE if before is InviteClientState.COMPLETED:
                return [Send(self.stored)]
            case TransactionEvent.TIMER_B:
                self.due = {}
                return [TIMED_OUT]
            case TransactionEvent.TRANSPORT_ERROR if before is InviteClientState.CALLING:
                self.due = {}
                return [UNREACHABLE]
            case _:
                if self.state is InviteClientState.TERMINATED:
                    self.due = {}
                return []
