"""The SIP of a trunk's peer: many dialogs on one socket, each message repeated until it is answered
(RFC 3261 section 17).

It obeys: it answers in the dialog that a request is of, acknowledges, and takes a repetition for
one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from tests.wire.sip_peer import Heard

T1 = 0.5  # seconds: RFC 3261 section 17.1.1.1
PATIENCE = 6.0  # seconds that a request waits for its final response
_KEPT = 4000  # responses that are kept for repetitions


@dataclass(slots=True)
class Dialog:
    """A dialog from the peer's side. `target`: where its requests go, along `routes`."""

    call_id: str
    local: str
    remote: str
    target: str
    cseq: int = 1
    routes: tuple[str, ...] = ()

    def next(self) -> int:
        self.cseq += 1
        return self.cseq


class Party(Protocol):
    """Who gets the requests of a dialog."""

    def requested(self, request: Heard) -> None: ...


@dataclass(slots=True)
class Waiting:
    """A request of ours that is not answered for good. `early`: the provisional response that
    had a tag."""

    text: str
    final: asyncio.Future[Heard]
    provisional: asyncio.Event = field(default_factory=asyncio.Event)
    early: Heard | None = None
    acknowledged: str = ""  # our ACK, for a 2xx that is repeated


class Trunk(asyncio.DatagramProtocol):
    """One peer of Tonewall's. `on_invite` gets each new INVITE and returns who answers it."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.engine: tuple[str, int] = (host, 0)
        self.on_invite: Callable[[Heard], Party | None] = lambda _: None
        self.parties: dict[str, Party] = {}  # by Call-ID
        self._waiting: dict[str, Waiting] = {}  # by branch
        self._answered: dict[tuple[str, str], str] = {}  # by branch and method
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self.socket)
        self._transport = cast("asyncio.DatagramTransport", transport)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._transport is not None:
            self._transport.close()

    # --- receiving --------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.strip():
            return
        message = Heard(data.decode(errors="replace"), addr)
        if message.start.startswith("SIP/2.0 "):
            self._response(message)
        else:
            self._request(message)

    def _response(self, response: Heard) -> None:
        waiting = self._waiting.get(response.branch)
        if waiting is None or response.one("CSeq") != Heard(waiting.text, ("", 0)).one("CSeq"):
            return  # of nobody, or of a CANCEL, which shares its INVITE's branch
        code = int(response.what)
        if code < 200:
            waiting.early = response
            waiting.provisional.set()
            return
        if response.one("CSeq").endswith("INVITE") and code >= 300:
            self._acknowledge_refusal(waiting.text, response)
        if not waiting.final.done():
            waiting.final.set_result(response)
        elif waiting.acknowledged:
            self._send(waiting.acknowledged)

    def _acknowledge_refusal(self, invite: str, response: Heard) -> None:
        """RFC 3261 section 17.1.1.3."""
        asked = Heard(invite, ("", 0))
        number = asked.one("CSeq").split()[0]
        rows = [f"ACK {asked.uri} SIP/2.0", f"Via: {asked.one('Via')}", f"From: {asked.one('From')}"]
        rows += [f"To: {response.one('To')}", f"Call-ID: {asked.one('Call-ID')}", f"CSeq: {number} ACK"]
        self._send("\r\n".join([*rows, "Max-Forwards: 70", "Content-Length: 0", "", ""]))

    def _request(self, request: Heard) -> None:
        if request.what == "ACK":
            party = self.parties.get(request.one("Call-ID"))
            if party is not None:
                party.requested(request)
            return
        known = self._answered.get((request.branch, request.what))
        if known is not None:
            self._send(known, request.source)
            return
        party = self.parties.get(request.one("Call-ID"))
        if party is None and request.what == "INVITE":
            party = self.on_invite(request)
            if party is not None:
                self.parties[request.one("Call-ID")] = party
        if party is not None:
            party.requested(request)
        elif request.what == "OPTIONS":
            self.reply(request, 200)
        else:
            self.reply(request, 481)

    def reply(self, to: Heard, code: int, tag: str = "", body: str = "", contact: str = "") -> None:
        """A response, kept for repetitions of the request once it is final."""
        own = to.one("To") if ";tag=" in to.one("To") or not tag else f"{to.one('To')};tag={tag}"
        rows = [
            f"SIP/2.0 {code} Answer",
            *(f"Via: {via}" for via in to.all("Via")),
            f"From: {to.one('From')}",
        ]
        rows += [f"To: {own}", f"Call-ID: {to.one('Call-ID')}", f"CSeq: {to.one('CSeq')}"]
        rows += [f"Contact: {contact or self.contact('far')}"]
        rows += [f"Record-Route: {each}" for each in to.all("Record-Route")]
        rows += ["Content-Type: application/sdp"] if body else []
        text = "\r\n".join([*rows, f"Content-Length: {len(body)}", "", body])
        if code >= 200:
            self._answered[to.branch, to.what] = text
            while len(self._answered) > _KEPT:
                del self._answered[next(iter(self._answered))]
        self._send(text, to.source)

    # --- sending ----------------------------------------------------------------------------------

    def contact(self, user: str) -> str:
        return f"<sip:{user}@{self.host}:{self.port}>"

    def dial(self, user: str, caller: str, body: str) -> tuple[str, Waiting]:
        """An INVITE out of a dialog; its Call-ID and what is waited for."""
        call_id = f"{secrets.token_hex(8)}@{self.host}"
        target = f"sip:{user}@{self.engine[0]}:{self.engine[1]}"
        local = f'"{caller}" <sip:{caller}@{self.host}:{self.port}>;tag={secrets.token_hex(4)}'
        dialog = Dialog(call_id, local, f"<{target}>", target)
        text = self._compose("INVITE", dialog, 1, body)
        return call_id, self._begin(text)

    def request(self, method: str, dialog: Dialog, body: str = "", **headers: str) -> Waiting:
        """A request in a dialog, repeated until it is answered."""
        return self._begin(self._compose(method, dialog, dialog.next(), body, **headers))

    def cancel(self, invite: Waiting) -> None:
        """RFC 3261 section 9.1; only after a provisional response."""
        asked = Heard(invite.text, ("", 0))
        number = asked.one("CSeq").split()[0]
        rows = [f"CANCEL {asked.uri} SIP/2.0", f"Via: {asked.one('Via')}", f"From: {asked.one('From')}"]
        rows += [f"To: {asked.one('To')}", f"Call-ID: {asked.one('Call-ID')}", f"CSeq: {number} CANCEL"]
        self._send("\r\n".join([*rows, "Max-Forwards: 70", "Content-Length: 0", "", ""]))

    def acknowledge(self, dialog: Dialog, invite: Waiting) -> None:
        """The ACK of a 2xx."""
        number = int(Heard(invite.text, ("", 0)).one("CSeq").split()[0])
        invite.acknowledged = self._compose("ACK", dialog, number)
        self._send(invite.acknowledged)

    def _compose(self, method: str, dialog: Dialog, number: int, body: str = "", **headers: str) -> str:
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        rows = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch={branch}",
        ]
        rows += [f"From: {dialog.local}", f"To: {dialog.remote}", f"Call-ID: {dialog.call_id}"]
        rows += [f"CSeq: {number} {method}", f"Contact: {self.contact('me')}", "Max-Forwards: 70"]
        rows += [f"Route: {each}" for each in dialog.routes]
        rows += ["Content-Type: application/sdp"] if body and "Content_Type" not in headers else []
        rows += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*rows, f"Content-Length: {len(body)}", "", body])

    def _begin(self, text: str) -> Waiting:
        waiting = Waiting(text, asyncio.get_running_loop().create_future())
        self._waiting[Heard(text, ("", 0)).branch] = waiting
        task = asyncio.create_task(self._repeat(waiting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return waiting

    async def _repeat(self, waiting: Waiting) -> None:
        heard = Heard(waiting.text, ("", 0))
        pause, left = T1, PATIENCE if heard.what != "INVITE" else 5 * PATIENCE
        while left > 0 and not waiting.final.done():
            if not waiting.provisional.is_set():
                self._send(waiting.text)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting.final), pause)
            left -= pause
        if not waiting.final.done():
            waiting.final.set_result(
                Heard(f"SIP/2.0 408 Nobody\r\nCSeq: {heard.one('CSeq')}\r\n\r\n", ("", 0))
            )
        await asyncio.sleep(2)  # a response that is repeated needs its ACK again
        self._waiting.pop(heard.branch, None)

    def _send(self, text: str, to: tuple[str, int] | None = None) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(text.encode(), to or self.engine)


def user_of(request: Heard) -> str:
    """Whom an INVITE calls."""
    found = re.match(r"sips?:([^@;>]*)@", request.uri)
    return found[1] if found else ""
