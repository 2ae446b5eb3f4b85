"""Answers that the engine gives by itself, with and without a transaction.

Rule 1: every refusal is counted.
"""

from __future__ import annotations

from b2bua.sip.context import EngineContext
from b2bua.sip.hop import Hop
from b2bua.sip.message.compose import compose_response, stateless_tag
from b2bua.sip.message.message import Head
from b2bua.sip.transaction.transactions import ServerTransaction


class Refusals:
    """One per engine."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._count = context.count

    def refuse(self, server: ServerTransaction, code: int, lines: tuple[str, ...] = ()) -> None:
        """Answer a request with an error, and count it."""
        self._count["requests_refused"] += 1
        self.respond(server, code, lines)

    def respond(
        self, server: ServerTransaction, code: int, lines: tuple[str, ...] = (), tag: str = ""
    ) -> None:
        """Answer a request within its transaction. `tag`: of the dialog, if there is one."""
        request = server.request
        tag = tag or stateless_tag(request.head)
        self._context.layer.send_response(
            server, code, compose_response(request.head, request.source, code, tag=tag, lines=lines)
        )

    def respond_stateless(self, head: Head, source: Hop, code: int, lines: tuple[str, ...] = ()) -> None:
        """Answer a request of which nothing is kept (RFC 3261 section 8.2.7)."""
        # To the source, whatever Via says: an answer that may be unwanted goes to nobody else.
        self._context.send_response(
            compose_response(head, source, code, tag=stateless_tag(head), lines=lines), source
        )
