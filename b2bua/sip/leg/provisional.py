"""Reliable provisional answers (RFC 3262): sent until their PRACK, and acknowledged in order.

Rule 1: one at a time: the next is sent when the one before was acknowledged. Of those that wait
        meanwhile, two are kept: the first with a session description, and the newest.
Rule 2: a 2xx waits for the PRACK of an answer with a session description (section 3); any other
        final answer waits for none. A PRACK that crosses it on the way is answered with 200 all the
        same.
Rule 3: theirs are acknowledged in their order, once each; what comes again or too early is no news
        (section 4).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from b2bua.call.leg_command import AnswerLeg, RingLeg
from b2bua.sip.hop import Hop
from b2bua.sip.leg.leg_protocol import UnansweredLeg
from b2bua.sip.leg.reliable_answer import ReliableAnswer, ReliableAnswerEvent
from b2bua.sip.message.compose import RELIABLE
from b2bua.sip.message.message import Received, Request, Response
from b2bua.sip.transaction.transaction import Send
from b2bua.sip.transaction.transactions import ServerTransaction

_MAX_RSEQ = (1 << 32) - 1  # of an RSeq


def has_100rel(message: Received, header: str) -> bool:
    """Whether 100rel is in a header, Supported or Require."""
    return any(
        option.strip().lower() == RELIABLE
        for value in message.headers.getlist(header)
        for option in value.split(",")
    )


def rseq_of(reply: Response) -> int | None:
    """The RSeq of a provisional answer that asks for a PRACK; None where it asks for none."""
    values = reply.headers.getlist("RSeq")
    if not 100 < reply.code < 200 or not values or not has_100rel(reply, "Require"):
        return None
    text = values[0].strip()
    return (
        int(text)
        if text.isascii() and text.isdigit() and 0 < len(text) < 11 and int(text) <= _MAX_RSEQ
        else None
    )


@dataclass(slots=True)
class ReceivedProvisionals:
    """The reliable answers to one INVITE of ours: the newest RSeq by remote tag."""

    newest: dict[str, int] = field(default_factory=dict)

    def is_next(self, tag: str, rseq: int) -> bool:
        """Whether this one is to be acknowledged now."""
        before = self.newest.get(tag)
        if before is not None and rseq != before + 1:
            return False
        self.newest[tag] = rseq
        return True


@dataclass(slots=True, init=False, repr=False, eq=False)
class SentProvisionals:
    """Those that we send on one leg."""

    _leg: UnansweredLeg
    _server: ServerTransaction
    reliable: bool
    answer_acknowledged: bool  # whether the peer has acknowledged one that had a session description
    _rseq: int
    _current: ReliableAnswer | None
    # The RSeq of one that a final answer has overtaken, until its PRACK comes.
    _overtaken: int | None
    _to: Hop
    _described: bool  # whether the current one has a session description
    _waiting: list[RingLeg]
    _final: AnswerLeg | None

    def __init__(self, leg: UnansweredLeg, server: ServerTransaction, trunk_prack: str) -> None:
        self._leg = leg
        self._server = server
        request = server.request
        self.reliable = has_100rel(request, "Require") or (
            trunk_prack == "supported" and has_100rel(request, "Supported")
        )
        self.answer_acknowledged = self._described = False
        self._rseq = random.randint(1, 1 << 30)  # noqa: S311 — a number, not a secret
        self._to = server.destination
        self._waiting = []
        self._current = self._final = self._overtaken = None

    def header_lines(self) -> tuple[str, ...]:
        """Of the next one."""
        return (f"Require: {RELIABLE}", f"RSeq: {self._rseq}") if self.reliable else ()

    def queue_behind_prack(self, command: RingLeg) -> bool:
        """Whether this one must wait; it is sent as soon as it may."""
        if self._current is None:
            return False
        described = next(([each] for each in self._waiting if each.answer), [])
        self._waiting = [*described, command]
        return True

    def queue_final(self, command: AnswerLeg) -> bool:
        """Whether the 2xx must wait; it is sent as soon as it may. If not, nothing provisional is
        sent any more."""
        if self._current is not None and self._described:
            self._final = command
            return True
        self.stop()
        return False

    def on_sent(self, message: bytes, described: bool) -> None:
        """A reliable one has been sent for the first time."""
        now = self._leg.context.scheduler.now()
        timers = self._leg.context.timers
        self._current = ReliableAnswer.open(message, self._rseq, now, timers, max_interval=timers.timeout)
        self._described = described
        self._rseq += 1
        self._leg.context.scheduler.watch(self._leg)

    def accept_prack(self, request: Request) -> bool:
        """Take a PRACK. False: it is for none that waits."""
        current, about = self._current, parse_rack(request)
        if self._overtaken is not None and about == (self._overtaken, self._server.request.cseq):
            self._overtaken = None
            return True
        if current is None or about != (current.cseq, self._server.request.cseq):
            return False
        current.receive(ReliableAnswerEvent.ACK, self._leg.context.scheduler.now())
        self._current = None
        self.answer_acknowledged = self.answer_acknowledged or self._described
        return True

    def send_queued(self) -> None:
        """Send what waited for the PRACK: the 2xx, which makes ringing pointless, or the next
        ringing."""
        if self._final is not None:
            final, self._final = self._final, None
            self._waiting.clear()
            self._leg.accept(final)
        elif self._waiting:
            self._leg.ring(self._waiting.pop(0))

    def ask_again(self) -> None:
        """Repeat the one that waits: its PRACK may have come to a process that is gone."""
        if self._current is not None:
            self._current.ask_again(self._leg.context.scheduler.now())

    def stop(self) -> None:
        """A final answer is out, or the leg is over."""
        self._overtaken = self._current.cseq if self._current is not None else self._overtaken
        self._current = self._final = None
        self._waiting.clear()

    def overtaken_rack(self) -> tuple[int, int] | None:
        """The RSeq and CSeq number of an answer whose PRACK may still be on its way."""
        return None if self._overtaken is None else (self._overtaken, self._server.request.cseq)

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return self._current.deadline() if self._current is not None else None

    def expire(self, now: float) -> bool:
        """The passing of time. False: no PRACK came."""
        if self._current is None:
            return True
        for command in self._current.expire(now):
            if not isinstance(command, Send):
                return False
            self._leg.context.send_response(command.message, self._to)
        return True


def parse_rack(request: Request) -> tuple[int, int] | None:
    """RSeq and CSeq number of a PRACK's RAck; None where it has none for an INVITE."""
    values = request.headers.getlist("RAck")
    parts = values[0].split() if values else []
    if len(parts) != 3 or parts[2].upper() != "INVITE":
        return None
    rseq, cseq = parts[:2]
    return (
        (int(rseq), int(cseq))
        if all(each.isascii() and each.isdigit() and len(each) < 11 for each in (rseq, cseq))
        else None
    )
