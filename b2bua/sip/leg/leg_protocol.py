"""Interface of a leg towards its parts: re-INVITE, session timer, REFER, INFO, 100rel.

Rule 1: a part knows its leg by this interface only, and imports no module of a leg.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from b2bua.call.leg import LegEvent, LegId
from b2bua.call.leg_command import AnswerLeg, RingLeg
from b2bua.sip.context import EngineContext
from b2bua.sip.leg.dialog import Dialog, DialogKey
from b2bua.sip.leg.leg_state import LegState
from b2bua.sip.message.compose import SDP, Outgoing
from b2bua.sip.message.message import Response
from b2bua.sip.transaction.scheduler import Timed
from b2bua.sip.transaction.transactions import ClientTransaction, ClientUser, ServerTransaction, ServerUser
from b2bua.sip.trunk.peers import Peer


class LegOwner(Timed, ClientUser, ServerUser, Protocol):
    """A leg as its parts see it. After moving its own deadline, a part calls `scheduler.watch`."""

    id: LegId
    peer: Peer
    state: LegState
    dialog: Dialog | None

    @property
    def context(self) -> EngineContext:
        """The context that the leg sends through."""
        ...

    @property
    def agreed_early(self) -> bool:
        """Whether offer and answer were exchanged before the 2xx (RFC 3311 section 5.1)."""
        ...

    def find_leg(self, key: DialogKey) -> LegOwner | None:
        """Find another leg of this engine by its dialog."""
        ...

    # --- events -----------------------------------------------------------------------------------

    def emit(self, event: LegEvent) -> None:
        """Report an event to the call."""
        ...

    def lose(self, reason: str) -> None:
        """End the leg with a BYE: its dialog is lost."""
        ...

    def refresh_session(self) -> None:
        """Send the refresh that the session timer asks for."""
        ...

    # --- messages ---------------------------------------------------------------------------------

    def own_lines(self) -> tuple[str, ...]:
        """Headers of our own: Contact, Allow, Supported, User-Agent."""
        ...

    def send_request(
        self, method: str, lines: tuple[str, ...] = (), body: bytes = b"", content_type: str = SDP
    ) -> ClientTransaction:
        """Send a request within the dialog."""
        ...

    def answer_challenge(self, client: ClientTransaction, reply: Response) -> ClientTransaction | None:
        """Send a request again with credentials; None where its challenge is not answered."""
        ...

    def acknowledge(self, dialog: Dialog, invite: Outgoing, answer: bytes = b"") -> None:
        """Send the ACK for a 2xx to that INVITE."""
        ...

    def respond(
        self,
        server: ServerTransaction,
        code: int,
        text: str = "",
        lines: tuple[str, ...] = (),
        body: bytes = b"",
        content_type: str = SDP,
    ) -> bytes:
        """Answer a request of the peer's; returns the response as sent."""
        ...

    def send_answer(self, server: ServerTransaction, body: bytes) -> None:
        """Answer an INVITE with 200, and send it again until its ACK."""
        ...


class UnansweredLeg(LegOwner, Protocol):
    """An incoming leg as its provisional answers see it."""

    def ring(self, command: RingLeg) -> bool:
        """Send a provisional answer. False: it comes too late."""
        ...

    def accept(self, command: AnswerLeg) -> bool:
        """Send the 2xx. False: it comes too late."""
        ...


AnyLeg = TypeVar("AnyLeg", bound=LegOwner)
