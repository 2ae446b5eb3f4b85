"""INFO (RFC 6086) and MESSAGE (RFC 3428) within a dialog, both ways, on one leg.

Rule 1: what the peer asks is reported and waits for RespondLeg; of what waits there are
        MAX_PENDING at a time.
Rule 2: a request of ours that is refused changes nothing but its asker's mind; 481 ends the dialog
        (RFC 3261 section 12.2.1.2), any other code does not (RFC 5057 section 5.1).
Rule 3: a leg that ends leaves no request of its peer's unanswered.
Rule 4: they may hold keys: none is written out with its leg, and no transaction keeps a body
        (dispatch.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from b2bua.call.leg import LegRequested, LegResponded
from b2bua.call.leg_command import RequestLeg
from b2bua.sip.leg.leg_protocol import LegOwner
from b2bua.sip.leg.leg_state import LegState
from b2bua.sip.message.compose import reason_phrase
from b2bua.sip.message.message import Response
from b2bua.sip.transaction.transactions import ClientTransaction, ServerTransaction
from tonewall.snapshot import TRANSIENT
from tonewall.tokens import token

METHODS = frozenset({"INFO", "MESSAGE"})
MAX_PENDING = 16
BAD_PACKAGE = 469
_MAX_PACKAGES = 8
_PACKAGE = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")  # a token of RFC 3261


@dataclass(slots=True, repr=False, eq=False)
class MidDialog:
    """INFO and MESSAGE of one leg."""

    _leg: LegOwner
    _received: dict[str, ServerTransaction] = field(default_factory=dict, metadata=TRANSIENT)
    _sent: dict[ClientTransaction, str] = field(default_factory=dict, metadata=TRANSIENT)

    def receive_request(self, server: ServerTransaction) -> None:
        """A new one of the peer's, its CSeq in order."""
        if self._leg.state is not LegState.UP or len(self._received) >= MAX_PENDING:
            self._leg.respond(server, 500 if self._received else 481)
            return
        request, headers = server.request, server.request.headers
        name = token(8)
        self._received[name] = server
        package = headers.getlist("Info-Package")[:1] if request.method == "INFO" else []
        content_type = ", ".join(headers.getlist("Content-Type"))
        self._leg.emit(LegRequested(name, request.method, content_type, request.body, "".join(package)))

    def answer_request(self, name: str, code: int, text: str, packages: Sequence[str] = ()) -> bool:
        """Answer it. False: there is none of that name."""
        server = self._received.pop(name, None)
        if server is None:
            return False
        # RFC 6086 section 4.2.2: who refuses a package says which ones are taken, be it none.
        lines = (f"Recv-Info: {', '.join(packages)}".rstrip(),) if code == BAD_PACKAGE else ()
        self._leg.respond(server, code if 200 <= code <= 699 else 500, text, lines)
        return True

    def send_request(self, command: RequestLeg) -> None:
        """Send one of ours, or report at once that the leg is not up."""
        leg = self._leg
        if leg.state is not LegState.UP or len(self._sent) >= MAX_PENDING:
            leg.emit(LegResponded(command.request, 500, reason_phrase(500)))
            return
        package = (f"Info-Package: {command.info_package}",) if command.info_package else ()
        lines = (f"User-Agent: {leg.context.user_agent}", *package)
        client = leg.send_request(command.method, lines, command.body, command.content_type)
        self._sent[client] = command.request

    def on_response(self, client: ClientTransaction, reply: Response) -> None:
        """Handle a response to a request of ours."""
        if reply.code < 200 or client not in self._sent:
            return
        name = self._sent.pop(client)
        again = self._leg.answer_challenge(client, reply)
        if again is not None:
            self._sent[again] = name
            return
        packages = info_packages(reply) if reply.code == BAD_PACKAGE else ()
        self._leg.emit(LegResponded(name, reply.code, reason_phrase(reply.code, reply.phrase), packages))
        if reply.code == 481:
            self._leg.lose("dialog lost")

    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        """Handle the lack of a response: `code` 408 after a timeout, 503 where it was not sent."""
        name = self._sent.pop(client, None)
        if name is not None:
            self._leg.emit(LegResponded(name, code, reason_phrase(code)))

    def abandon(self) -> None:
        """The dialog ends: 487 to what is unanswered (RFC 3261 section 15.1.2)."""
        for server in self._received.values():
            self._leg.respond(server, 487)
        self._received.clear()
        self._sent.clear()


def info_packages(reply: Response) -> tuple[str, ...]:
    """The INFO packages that it names, without their parameters."""
    names = [
        part.partition(";")[0].strip()
        for line in reply.headers.getlist("Recv-Info")
        for part in line.split(",")
    ]
    return tuple(name for name in names[:_MAX_PACKAGES] if _PACKAGE.fullmatch(name))
