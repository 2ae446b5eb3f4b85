"""What the ladder of a call is told of each message: of all that it holds, what is named here.

Rule 1: no header but Call-ID (whose hash is kept) and CSeq is read; bodies only where they describe sessions.
Rule 2: a message that is of no leg that is noted costs one look at a table.
"""

from __future__ import annotations

from b2bua.call.leg import LegId
from b2bua.ladder.book import Ladders
from b2bua.sip.compose import Outgoing
from b2bua.sip.hop import Hop
from b2bua.sip.message import Head, Request, Response


class Tap:
    """One an engine."""

    def __init__(self, ladders: Ladders) -> None:
        self._ladders = ladders
        self.close = ladders.close
        self.open = ladders.open

    def invited(self, leg: LegId, request: Request) -> None:
        """A peer's INVITE opens a leg."""
        self._ladders.open(leg, request.head.call_id)
        self.received(request)

    def received(self, message: Request | Response) -> None:
        code = message.code if isinstance(message, Response) else 0
        self._ladders.message(
            message.head.call_id, False, message.method, code, message.cseq, message.source[:3], message.body
        )

    def sent(self, request: Outgoing, way: Hop, method: str = "") -> None:
        """A request of ours; `method`: ACK, where it is the one of that INVITE's transaction."""
        body = b"" if method else request.body
        self._ladders.message(request.call_id, True, method or request.method, 0, request.cseq, way[:3], body)

    def answered(self, request: Request, message: bytes, way: Hop) -> None:
        """A response of ours."""
        self.again(request.head.call_id, request.method, request.cseq, message, way)

    def again(self, call_id: str, method: str, cseq: int, message: bytes, way: Hop) -> None:
        """A response of ours that a leg sends again by itself."""
        self._ladders.message(call_id, True, method, int(message[8:12]), cseq, way[:3], message)

    def refused(self, head: Head, code: int, source: Hop) -> None:
        """A request that cannot be read in full, and our answer to it."""
        number, _, method = head.cseq.partition(" ")
        for sent, status in ((False, 0), (True, code)):
            self._ladders.message(head.call_id, sent, method.strip(), status, int(number), source[:3], b"")

    def unanswered(self, request: Outgoing, way: Hop, code: int) -> None:
        """No response came (408), or there was no way to send it (503)."""
        self._ladders.unanswered(request.call_id, way[:3], sent=code == 408)
