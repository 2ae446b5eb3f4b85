"""Dialogs: identifiers, CSeq numbers and routes (RFC 3261 section 12), and the forks of an INVITE.

Rule 1: a dialog is created by a request or by a response, never by hand.
Rule 2: CSeq runs on its own in each direction; a request that does not go up is refused (section
        12.2.2).
Rule 3: of several forks the first that answers with a 2xx is the call; any other 2xx is
        acknowledged and hung up.
Rule 4: MAX_FORKS are followed; a 2xx of a further one is answered like any other, and not
        remembered unless it is the call.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

import msgspec

from b2bua.sip.message.compose import Outgoing, new_branch
from b2bua.sip.message.message import Request, Response
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, split_quoted
from b2bua.sip.message.uri import Uri

DialogKey = tuple[str, str, str]  # Call-ID, our tag, their tag
MAX_FORKS = 16  # of one INVITE


class DialogState(StrEnum):
    """The states of RFC 3261 section 12."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class DialogEvent(StrEnum):
    """What moves a dialog."""

    PROVISIONAL = "1xx with a To tag"
    SUCCESS = "2xx"
    FAILURE = "300-699 to the INVITE"
    ENDED = "BYE, 481 or 408"


TRANSITIONS: dict[DialogState, dict[DialogEvent, DialogState]] = {
    DialogState.EARLY: {
        DialogEvent.PROVISIONAL: DialogState.EARLY,
        DialogEvent.SUCCESS: DialogState.CONFIRMED,
        DialogEvent.FAILURE: DialogState.TERMINATED,
        DialogEvent.ENDED: DialogState.TERMINATED,
    },
    DialogState.CONFIRMED: {
        DialogEvent.PROVISIONAL: DialogState.CONFIRMED,  # overtaken on the way
        DialogEvent.SUCCESS: DialogState.CONFIRMED,
        DialogEvent.FAILURE: DialogState.CONFIRMED,  # of a re-INVITE: the dialog goes on (section 14.1)
        DialogEvent.ENDED: DialogState.TERMINATED,
    },
    DialogState.TERMINATED: dict.fromkeys(DialogEvent, DialogState.TERMINATED),
}


class Dialog(msgspec.Struct):
    """One dialog, seen from our side. `local` and `remote` are whole From or To values, with their
    tags."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    local_cseq: int
    remote_cseq: int | None
    remote_target: str
    route_set: tuple[str, ...]
    state: DialogState = DialogState.EARLY

    @classmethod
    def of_request(cls, request: Request, tag: str, otherwise: str = "") -> Self:
        """The dialog that our answer to this INVITE opens (section 12.1.1). `otherwise`: the target
        where it has no Contact.

        Raises ValueError: no usable Contact.
        """
        target = contact(request) if request.headers.getlist("Contact") or not otherwise else otherwise
        return cls(
            call_id=request.head.call_id,
            local_tag=tag,
            remote_tag=request.from_tag,
            local=f"{request.head.to};tag={tag}",
            remote=request.head.from_,
            local_cseq=0,
            remote_cseq=request.cseq,
            remote_target=target,
            route_set=tuple(record_route(request)),
        )

    @classmethod
    def of_response(cls, request: Outgoing, tag: str, response: Response) -> Self:
        """The dialog that this response to our INVITE opens (section 12.1.2). `tag`: ours."""
        try:
            target = contact(response)
        except ValueError:
            # A 1xx need not have one; of a 2xx without, this is the best that is left.
            target = request.uri
        return cls(
            call_id=request.call_id,
            local_tag=tag,
            remote_tag=response.to_tag,
            local=request.from_,
            remote=response.head.to,
            local_cseq=request.cseq,
            remote_cseq=None,
            remote_target=target,
            route_set=tuple(reversed(record_route(response))),
        )

    @property
    def key(self) -> DialogKey:
        """Call-ID, our tag, their tag."""
        return self.call_id, self.local_tag, self.remote_tag

    def receive(self, event: DialogEvent) -> None:
        """Apply an event."""
        self.state = TRANSITIONS[self.state][event]

    def accepts(self, cseq: int) -> bool:
        """Whether a request with this number is in order; if so, it is the newest from now on."""
        if self.remote_cseq is not None and cseq <= self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def refresh(self, message: Request | Response) -> None:
        """Take the remote target of a re-INVITE or of a 2xx to one (section 12.2), if it names a
        usable one."""
        try:
            self.remote_target = contact(message)
        except ValueError:
            return

    def confirm(self, response: Response) -> None:
        """The 2xx has come: the route set is computed anew from it (section 13.2.2.4)."""
        self.receive(DialogEvent.SUCCESS)
        self.route_set = tuple(reversed(record_route(response)))
        self.refresh(response)

    def request(
        self, method: str, lines: tuple[str, ...] = (), body: bytes = b"", cseq: int | None = None
    ) -> Outgoing:
        """The next request of this dialog (section 12.2.1.1). `cseq`: for an ACK, that of its
        INVITE."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, route = self.remote_target, self.route_set
        if route and not _is_loose(route[0]):
            # A strict router: it goes into the Request-URI, and the target to the end of the route.
            uri, route = parse_name_addr(route[0])[1], (*route[1:], f"<{self.remote_target}>")
        return Outgoing(
            method, uri, new_branch(), self.local, self.remote, self.call_id, cseq, route, 70, lines, body
        )

    @property
    def next_hop(self) -> str:
        """The URI that requests are sent to: the first route, or the remote target."""
        return parse_name_addr(self.route_set[0])[1] if self.route_set else self.remote_target


class ForkVerdict(StrEnum):
    """What a response to our INVITE means for the call."""

    EARLY = "early"
    EXCESS = "further"  # a 1xx of one fork too many
    WON = "won"
    RETRANSMITTED = "again"  # a 2xx of the winner, repeated: its ACK was lost
    LATE = "late"  # the first 2xx of another fork: to be acknowledged and hung up
    LATE_RETRANSMITTED = "late again"


class Forks(msgspec.Struct):
    """The dialogs that one INVITE of ours has opened, by remote tag."""

    dialogs: dict[str, Dialog] = {}
    winner: str | None = None

    def receive_response(self, request: Outgoing, tag: str, response: Response) -> tuple[ForkVerdict, Dialog]:
        """Take a 1xx with a To tag, or a 2xx. Returns what it means and the dialog it belongs
        to."""
        known = self.dialogs.get(response.to_tag)
        dialog = known or Dialog.of_response(request, tag, response)
        full = known is None and len(self.dialogs) >= MAX_FORKS
        if not full or (response.code >= 200 and self.winner is None):
            self.dialogs[response.to_tag] = dialog
        if response.code < 200:
            if full:
                return ForkVerdict.EXCESS, dialog
            dialog.receive(DialogEvent.PROVISIONAL)
            return ForkVerdict.EARLY, dialog
        was = dialog.state
        if was is DialogState.EARLY:
            dialog.confirm(response)
        if self.winner is None:
            self.winner = response.to_tag
            return ForkVerdict.WON, dialog
        if response.to_tag == self.winner:
            return ForkVerdict.RETRANSMITTED, dialog
        return (ForkVerdict.LATE if was is DialogState.EARLY else ForkVerdict.LATE_RETRANSMITTED), dialog


def contact(message: Request | Response) -> str:
    """The URI of the first Contact. Raises ValueError where there is none that we can send to."""
    values = message.headers.getlist("Contact")
    uri = parse_name_addr(split_quoted(values[0], ",")[0])[1] if values else ""
    try:
        read = Uri.parse(uri)
    except ValueError:
        raise ValueError("no usable Contact") from None
    if read.scheme != "sip":
        raise ValueError("no usable Contact")
    return read.without_headers  # a Request-URI has none (section 19.1.1)


def _is_loose(route: str) -> bool:
    uri = parse_name_addr(route)[1]
    try:
        return "lr" in Uri.parse(uri).parameter_map
    except ValueError:
        return "lr" in parse_parameters(uri.partition(";")[2])


def record_route(message: Request | Response) -> list[str]:
    """The Record-Route values in their order, one a route."""
    values = message.headers.getlist("Record-Route")
    return [route for value in values for route in split_quoted(value, ",") if route]
