"""Base of the four transaction machines of RFC 3261 section 17: events, commands, timers.

Rule 1: every transition is in the TRANSITIONS of the machine's module; any other event raises and
        changes nothing.
Rule 2: what the network may repeat, delay or send out of turn is a declared row, not an exception.
Rule 3: machines hold bytes, numbers and names only, so that a transaction can be written out and
        read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from operator import itemgetter
from typing import Any, ClassVar

import msgspec


class TransactionEvent(StrEnum):
    """An event of a transaction; a timer is one when `expire` finds it due."""

    REQUEST = "request"  # server: the request that opened the transaction, again
    ACK = "ack"  # server: the ACK, for 300-699 or, where the peer reuses the branch, for 2xx
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    TRANSPORT_ERROR = "transport error"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"


_BY_LETTER = {letter: TransactionEvent[f"TIMER_{letter.upper()}"] for letter in "abdefghijklm"}


class Timers(msgspec.Struct, frozen=True):
    """The base values of RFC 3261 table 4, in seconds; what derives from them follows.

    Over a reliable transport a transaction sends nothing again, and lingers for nothing: see
    `Transaction.reliable`.
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    d: float = 32.0  # timer D: at least 32 s for unreliable transports (section 17.1.1.2)

    @property
    def timeout(self) -> float:
        """64*T1: timers B, F, H, J, L and M, and how long a 2xx waits for its ACK."""
        return 64 * self.t1


class Send(msgspec.Struct, frozen=True):
    """Send these bytes to the transaction's peer."""

    message: bytes


class Deliver(msgspec.Struct, frozen=True):
    """Hand the message that caused this to the transaction's user."""


class TimedOut(msgspec.Struct, frozen=True):
    """Tell the user that no final response (client), or no ACK (server), came in time."""


class Unreachable(msgspec.Struct, frozen=True):
    """Tell the user that the transport refused to send."""


Command = Send | Deliver | TimedOut | Unreachable

DELIVER = Deliver()
TIMED_OUT = TimedOut()
UNREACHABLE = Unreachable()


class IllegalEventError(Exception):
    """An event that the table has no row for; the machine has not changed. `str(error)` names state
    and event only."""


class Transaction(msgspec.Struct, kw_only=True):
    """One machine: its state, the deadlines of its timers, and what it would send again."""

    TRANSITIONS: ClassVar[Mapping[Any, Mapping[TransactionEvent, Any]]]

    state: StrEnum
    timers: Timers
    stored: bytes  # the request, response or ACK to send again
    reliable: bool = (
        False  # the transport: timers A, E and G are then not started, and D, I, J and K are zero
    )
    interval: float = 0.0  # of the retransmission timer, in seconds
    due: dict[TransactionEvent, float] = {}

    @property
    def ended(self) -> bool:
        """Whether the machine is in TERMINATED, and may be forgotten."""
        return self.state == "terminated"

    def deadline(self) -> float | None:
        """Return when `expire` has something to do, on the clock of `now`; None for never."""
        return min(self.due.values()) if self.due else None

    def receive(self, event: TransactionEvent, now: float, message: bytes = b"") -> list[Command]:
        """Take one event. `message`: our own response, where that is the event; the ACK, for a
        FAILURE received.

        Raises IllegalEventError, and has then changed nothing.
        """
        before = self.state
        after = self.TRANSITIONS[before].get(event)
        if after is None:
            raise IllegalEventError(f"{type(self).__name__}: {event} in {before}")
        self.state = after
        return self._act(before, event, now, message)

    def expire(self, now: float) -> list[Command]:
        """Apply the timers that are due, the earliest first. Too early, it changes nothing."""
        commands: list[Command] = []
        for timer, when in sorted(self.due.items(), key=itemgetter(1)):
            # An earlier timer of this round may have stopped a later one.
            if when <= now and self.due.get(timer) == when:
                del self.due[timer]
                commands += self.receive(timer, now)
        return commands

    def _start(self, now: float, **delays: float) -> None:
        """Set exactly these timers, by letter, and stop all others; as the transport asks (RFC 3261
        table 4)."""
        if self.reliable:
            delays = {
                letter: 0.0 if letter in "dijk" else delay
                for letter, delay in delays.items()
                if letter not in "aeg"
            }
        self.due = {_BY_LETTER[letter]: now + delay for letter, delay in delays.items()}

    def _act(self, before: StrEnum, event: TransactionEvent, now: float, message: bytes) -> list[Command]:
        raise NotImplementedError
