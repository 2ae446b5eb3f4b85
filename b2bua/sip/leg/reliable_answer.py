"""Retransmission of a 2xx to an INVITE until its ACK (RFC 3261 section 13.3.1.4), and of a reliable
provisional answer until its PRACK (RFC 3262 section 3).

Rule 1: this is the dialog's task, not the transaction's, because ACK and PRACK are transactions of
        their own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import msgspec

from b2bua.sip.transaction.transaction import TIMED_OUT, Command, Send, Timers


class ReliableAnswerState(StrEnum):
    """The states of a 2xx, until its ACK."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    LOST = "lost"  # nothing in 64*T1: the session is to be ended


class ReliableAnswerEvent(StrEnum):
    """What can happen to it."""

    ACK = "ack"  # ACK or PRACK
    REPEAT = "repeat"  # the interval is over
    GIVE_UP = "give up"  # 64*T1 are over
    ABANDON = "abandon"  # the dialog ended otherwise


TRANSITIONS: dict[ReliableAnswerState, dict[ReliableAnswerEvent, ReliableAnswerState]] = {
    ReliableAnswerState.WAITING: {
        ReliableAnswerEvent.ACK: ReliableAnswerState.CONFIRMED,
        ReliableAnswerEvent.REPEAT: ReliableAnswerState.WAITING,
        ReliableAnswerEvent.GIVE_UP: ReliableAnswerState.LOST,
        ReliableAnswerEvent.ABANDON: ReliableAnswerState.CONFIRMED,
    },
    ReliableAnswerState.CONFIRMED: {
        ReliableAnswerEvent.ACK: ReliableAnswerState.CONFIRMED,
        ReliableAnswerEvent.ABANDON: ReliableAnswerState.CONFIRMED,
    },
    ReliableAnswerState.LOST: {
        ReliableAnswerEvent.ACK: ReliableAnswerState.LOST,
        ReliableAnswerEvent.ABANDON: ReliableAnswerState.LOST,
    },
}


class ReliableAnswer(msgspec.Struct):
    """One answer on its way. Time in seconds, on the caller's clock."""

    timers: Timers
    response: bytes
    cseq: int  # of the INVITE, which the ACK carries too; or the RSeq that a PRACK names
    repeat_at: float
    give_up_at: float
    interval: float
    max_interval: float  # interval
    state: ReliableAnswerState = ReliableAnswerState.WAITING

    @classmethod
    def open(
        cls, response: bytes, cseq: int, now: float, timers: Timers, max_interval: float | None = None
    ) -> Self:
        """Watch over `response`, which has just been sent once. `max_interval`: between two
        times; T2 where it is not given."""
        most = timers.t2 if max_interval is None else max_interval
        return cls(timers, response, cseq, now + timers.t1, now + timers.timeout, timers.t1, most)

    def deadline(self) -> float | None:
        """When `expire` has something to do; None for never."""
        return min(self.repeat_at, self.give_up_at) if self.state is ReliableAnswerState.WAITING else None

    def ask_again(self, now: float) -> None:
        """Repeat it at once: its ACK may have come to a process that is gone."""
        self.repeat_at = now

    def receive(self, event: ReliableAnswerEvent, now: float) -> list[Command]:
        """Take one event; those of time come from `expire`."""
        self.state = TRANSITIONS[self.state][event]
        if event is ReliableAnswerEvent.REPEAT:
            self.interval = min(2 * self.interval, self.max_interval)
            self.repeat_at = now + self.interval
            return [Send(self.response)]
        return [TIMED_OUT] if event is ReliableAnswerEvent.GIVE_UP else []

    def expire(self, now: float) -> list[Command]:
        """The passing of time."""
        if self.state is not ReliableAnswerState.WAITING:
            return []
        if self.give_up_at <= now:
            return self.receive(ReliableAnswerEvent.GIVE_UP, now)
        return self.receive(ReliableAnswerEvent.REPEAT, now) if self.repeat_at <= now else []
