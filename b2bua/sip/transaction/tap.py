"""Tap: records each SIP message in the ladder of its call. Only the values named here are kept.

Rule 1: no header but Call-ID (whose hash is kept) and CSeq is read; bodies only where they describe
        sessions.
Rule 2: a message that is of no leg that is noted costs one look at a table.
"""

from __future__ import annotations

from b2bua.call.leg import LegId
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.words import NoteKind
from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import Outgoing
from b2bua.sip.message.message import Head, Request, Response
from b2bua.sip.message.octets import decode_octets


class Tap:
    """One per engine."""

    def __init__(self, ladders: Ladders) -> None:
        self._ladders = ladders
        self.close = ladders.close_leg
        self.open = ladders.open_leg

    def record_invite(self, leg: LegId, request: Request) -> None:
        """A peer's INVITE opens a leg."""
        self._ladders.open_leg(leg, request.head.call_id)
        self.record_received(request)

    def record_received(self, message: Request | Response) -> None:
        """Record a message of a peer's."""
        code = message.code if isinstance(message, Response) else 0
        self._ladders.add_message(
            message.head.call_id, False, message.method, code, message.cseq, message.source[:3], message.body
        )

    def record_sent(self, request: Outgoing, way: Hop, method: str = "") -> None:
        """A request of ours; `method`: ACK, where it is the one of that INVITE's transaction."""
        body = b"" if method else request.body
        self._ladders.add_message(
            request.call_id, True, method or request.method, 0, request.cseq, way[:3], body
        )

    def record_response(self, request: Request, message: bytes, way: Hop) -> None:
        """A response of ours."""
        code = int(message[8:12])
        self._ladders.add_message(
            request.head.call_id, True, request.method, code, request.cseq, way[:3], message
        )

    def record_stateless(self, message: bytes, way: Hop) -> None:
        """A response of ours that no transaction sends: what a leg sends again by itself, or a
        refusal without state."""
        if not message.startswith(b"SIP/2.0 "):
            return
        head = decode_octets(message.partition(b"\r\n\r\n")[0])
        cseq, method = _cseq(_value(head, "CSeq"))
        self._ladders.add_message(
            _value(head, "Call-ID"), True, method, int(message[8:12]), cseq, way[:3], message
        )

    def record_unreadable(self, head: Head, source: Hop) -> None:
        """A request of which no more can be made out than its answer needs."""
        cseq, method = _cseq(head.cseq)
        self._ladders.add_message(head.call_id, False, method, 0, cseq, source[:3], b"")

    def record_no_hop(self, leg: LegId) -> None:
        """A leg was to be opened, and its trunk has no hop."""
        self._ladders.note_not_opened(leg, NoteKind.NO_WAY)

    def record_unanswered(self, request: Outgoing, way: Hop, code: int) -> None:
        """No response came (408), or there was no way to send it (503)."""
        self._ladders.note_unanswered(request.call_id, way[:3], sent=code == 408)


def _value(head: str, name: str) -> str:
    """Of a header that a response of ours has once; its lines are written by `compose_response`."""
    return head.partition(f"\r\n{name}: ")[2].partition("\r\n")[0]


def _cseq(value: str) -> tuple[int, str]:
    """Of a value that `message` has looked at: digits, blanks, a method."""
    number, method = value.split()
    return int(number), method
