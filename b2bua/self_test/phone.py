"""A telephone for the self-test, where Tonewall has a PBX: it calls, and it answers.

Its SIP is its own, of one line a message and UDP alone, so that nothing of the engine under test
tests itself. It is for one machine: it speaks with a Tonewall beside it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from b2bua.self_test.audio import EVENT, Audio
from b2bua.self_test.tones import CODECS
from tonewall.tasks import BackgroundTasks

_CRLF: Final = "\r\n"
_RESEND: Final = 0.5  # seconds until a message is sent again, doubled each time
_RESENDS: Final = 6
_DIGIT: Final = re.compile(r"(?im)^[ \t]*signal[ \t]*=|^[0-9*#a-d][ \t\r]*$")


class PhoneFailed(Exception):
    """The telephone could not go on; the text says what did not happen."""


@dataclass(slots=True)
class Message:
    """One SIP message as text."""

    start: str
    headers: list[tuple[str, str]]
    body: str

    @classmethod
    def read(cls, octets: bytes) -> Message:
        """A message, as far as it is one."""
        head, _, body = octets.decode("utf-8", "replace").partition(_CRLF * 2)
        start, *lines = head.split(_CRLF)
        pairs = (line.partition(":") for line in lines)
        return cls(start, [(name.strip().lower(), value.strip()) for name, _, value in pairs], body)

    @property
    def method(self) -> str:
        """Of a request; empty for a response."""
        return "" if self.start.startswith("SIP/2.0 ") else self.start.partition(" ")[0]

    @property
    def code(self) -> int:
        """Of a response; 0 for a request."""
        version, _, rest = self.start.partition(" ")
        code = rest[:3]
        return int(code) if version == "SIP/2.0" and code.isascii() and code.isdecimal() else 0

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for each, value in self.headers if each == name]

    def one(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next(iter(self.all(name)), "")


@dataclass(slots=True)
class Dialog:
    """One call of the telephone. `infos`: SIP INFOs with a key that came; `peer`: the number at the
    other end."""

    id: str
    audio: Audio
    local: str
    peer: str = ""
    remote: str = ""
    target: str = ""
    routes: list[str] = field(default_factory=list)
    cseq: int = 1
    infos: int = 0
    is_up: bool = False
    code: int = 0
    answer: str = ""  # the answer that we gave, until it is acknowledged
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Phone(asyncio.DatagramProtocol):
    """`tonewall`: where its SIP is; `user`: the number that it calls from. `incoming` receives
    calls, each answered at once."""

    def __init__(self, host: str, tonewall: tuple[str, int], user: str = "self-test") -> None:
        self._host, self._tonewall, self._user = host, tonewall, user
        self._port = 0
        self._dialogs: dict[str, Dialog] = {}
        self._tasks = BackgroundTasks()
        self.incoming: asyncio.Queue[Dialog] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, port: int) -> None:
        """Receive at this port. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._host, port))
        self._port = self._transport.get_extra_info("sockname")[1]

    async def close(self) -> None:
        """End every call, and stop."""
        for dialog in list(self._dialogs.values()):
            if dialog.is_up:
                self._send(self._request("BYE", dialog))
            await dialog.audio.close()
        await self._tasks.cancel()
        if self._transport is not None:
            self._transport.close()

    async def call(self, number: str, within: float) -> Dialog:
        """Call a number through Tonewall. Raises PhoneFailed where nobody answers."""
        user = f"<sip:{self._user}@{self._at}>;tag={secrets.token_hex(6)}"
        dialog = Dialog(f"{secrets.token_hex(10)}@self-test", Audio(self._host), user, peer=number)
        host, port = self._tonewall
        dialog.target = f"sip:{number}@{_bracket(host)}:{port}"
        dialog.remote = f"<{dialog.target}>"
        self._dialogs[dialog.id] = dialog
        invite = self._request("INVITE", dialog, _describe(self._host, dialog.audio))
        self._tasks.start(self._repeat(invite, lambda: dialog.code > 0), "INVITE")
        try:
            async with asyncio.timeout(within):
                while dialog.code < 200:
                    dialog.changed.clear()
                    await dialog.changed.wait()
        except TimeoutError:
            raise PhoneFailed(f"nobody answered {number} within {within:g} s") from None
        if dialog.code >= 300:
            raise PhoneFailed(f"the call to {number} was refused with {dialog.code}")
        return dialog

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One message of Tonewall's; others are ignored."""
        message = Message.read(data)
        if addr[:2] != self._tonewall or not message.one("call-id"):
            return
        if message.code:
            self._take_response(message)
        else:
            self._take_request(message)

    @property
    def _at(self) -> str:
        return f"{_bracket(self._host)}:{self._port}"

    def _take_response(self, response: Message) -> None:
        dialog = self._dialogs.get(response.one("call-id"))
        if dialog is None or "INVITE" not in response.one("cseq"):
            return
        dialog.code = max(dialog.code, response.code)
        if response.code >= 200:
            dialog.remote = response.one("to")
            if response.code < 300:
                dialog.target = _uri(response.one("contact")) or dialog.target
                dialog.routes = response.all("record-route")[::-1]
                dialog.is_up = True
                _follow(dialog.audio, response.body)
            self._send(self._request("ACK", dialog))
        dialog.changed.set()

    def _take_request(self, request: Message) -> None:
        dialog = self._dialogs.get(request.one("call-id"))
        match request.method:
            case "ACK":
                if dialog is not None:
                    dialog.answer = ""
            case "INVITE" if dialog is None:
                dialog = Dialog(request.one("call-id"), Audio(self._host), "")
                self._dialogs[dialog.id] = dialog
                self._answer_call(dialog, request)
                self.incoming.put_nowait(dialog)
            case "INVITE" if dialog is not None and dialog.answer:
                self._send(dialog.answer)  # repeated
            case "INVITE" | "UPDATE" if dialog is not None:
                has_offer = request.body or request.method == "INVITE"
                body = _describe(self._host, dialog.audio, request.body) if has_offer else ""
                self._answer(request, 200, body)
            case "BYE" | "CANCEL" if dialog is not None:
                dialog.is_up = False
                self._answer(request, 200)
                dialog.changed.set()
            case _:
                if dialog is not None and request.method == "INFO":
                    dialog.infos += bool(_DIGIT.search(request.body))
                self._answer(request, 200)

    def _answer_call(self, dialog: Dialog, invite: Message) -> None:
        dialog.remote, dialog.target = invite.one("from"), _uri(invite.one("contact"))
        dialog.peer = _user(invite.one("from"))
        dialog.routes, dialog.is_up = invite.all("record-route"), True
        tag = secrets.token_hex(6)
        dialog.local = f"{invite.one('to')};tag={tag}"
        dialog.answer = self._answer(invite, 200, _describe(self._host, dialog.audio, invite.body), tag)
        self._tasks.start(self._repeat(dialog.answer, lambda: not dialog.answer), "answer")

    def _answer(self, request: Message, code: int, body: str = "", tag: str = "") -> str:
        to = request.one("to")
        lines = [f"SIP/2.0 {code} OK"]
        lines += [f"Via: {each}" for each in request.all("via")]
        lines += [f"Record-Route: {each}" for each in request.all("record-route")]
        lines += [f"From: {request.one('from')}", f"To: {to};tag={tag}" if tag else f"To: {to}"]
        lines += [f"Call-ID: {request.one('call-id')}", f"CSeq: {request.one('cseq')}"]
        text = self._finish(lines, body)
        self._send(text)
        return text

    def _request(self, method: str, dialog: Dialog, body: str = "") -> str:
        if method not in ("ACK", "INVITE"):
            dialog.cseq += 1
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        lines = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._at};rport;branch={branch}",
            "Max-Forwards: 70",
            *(f"Route: {each}" for each in dialog.routes),
            f"From: {dialog.local}",
            f"To: {dialog.remote}",
            f"Call-ID: {dialog.id}",
            f"CSeq: {dialog.cseq} {method}",
        ]
        return self._finish(lines, body)

    def _finish(self, lines: list[str], body: str) -> str:
        lines.append(f"Contact: <sip:{self._user}@{self._at}>")
        lines += ["Content-Type: application/sdp"] if body else []
        return _CRLF.join([*lines, f"Content-Length: {len(body)}", "", body])

    def _send(self, text: str) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(text.encode(), self._tonewall)

    async def _repeat(self, text: str, is_done: Callable[[], bool]) -> None:
        self._send(text)
        wait = _RESEND
        for _ in range(_RESENDS):
            await asyncio.sleep(wait)
            if is_done():
                return
            self._send(text)
            wait *= 2


def _describe(host: str, audio: Audio, offer: str = "") -> str:
    """An offer of G.711 and telephone-events, or the answer to an offer."""
    family = "IP6" if ":" in host else "IP4"
    kinds, event = list(CODECS), EVENT
    if offer:
        _follow(audio, offer)
        kinds, event = [audio.codec.kind], audio.event_type
    lines = [
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {audio.port} RTP/AVP {' '.join(map(str, kinds))} {event}",
        f"a=rtpmap:{event} telephone-event/8000",
        f"a=fmtp:{event} 0-15",
    ]
    return _CRLF.join([*lines, ""])


def _follow(audio: Audio, body: str) -> None:
    """Send where a description says, in its first codec of ours."""
    media = re.search(r"(?m)^m=audio (\d+) \S+ ([\d ]+)", body)
    place = re.search(r"(?m)^c=IN IP[46] (\S+)", body)
    if media is None or place is None:
        return
    audio.peer = place[1], int(media[1])
    audio.codec = next((CODECS[int(kind)] for kind in media[2].split() if int(kind) in CODECS), audio.codec)
    event = re.search(r"(?mi)^a=rtpmap:(\d+) telephone-event/8000", body)
    audio.event_type = int(event[1]) if event else audio.event_type


def _uri(value: str) -> str:
    found = re.search(r"<([^<>]*)>", value)
    return found[1] if found else value.partition(";")[0].strip()


def _user(value: str) -> str:
    return _uri(value).partition(":")[2].partition("@")[0].partition(";")[0]


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
