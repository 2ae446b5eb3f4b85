"""A SIP peer played by the test line by line: its own reading and writing, none of it the
engine's."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
from dataclasses import dataclass

HOST = "127.0.0.1"
SDP = "v=0\r\no={0} 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@dataclass
class Heard:
    """One message as text."""

    text: str
    source: tuple[str, int]

    @property
    def start(self) -> str:
        return self.text.split("\r\n", 1)[0]

    @property
    def what(self) -> str:
        """The method, or the code."""
        words = self.start.split(" ")
        return words[1] if words[0] == "SIP/2.0" else words[0]

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    @property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2]

    def all(self, name: str) -> list[str]:
        return re.findall(rf"(?mi)^{name}:[ ]*(.*?)\r$", self.text.partition("\r\n\r\n")[0] + "\r\n")

    def one(self, name: str) -> str:
        values = self.all(name)
        assert len(values) == 1, (name, values)
        return values[0]

    def tag(self, name: str) -> str:
        return re.search(r";tag=([^;]*)", self.one(name))[1]

    @property
    def branch(self) -> str:
        return re.search(r";branch=([^;]*)", self.all("Via")[0])[1]

    @property
    def contact(self) -> str:
        return re.search(r"<([^>]*)>", self.one("Contact"))[1]


async def next_datagram(bound: socket.socket) -> tuple[bytes, tuple[str, int]]:
    """The next datagram of a socket that does not block; on uvloop too, which has no
    sock_recvfrom."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError):
            return bound.recvfrom(65536)
        readable = asyncio.Event()
        loop.add_reader(bound, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(bound)


class SipPeer:
    """A socket; what comes in twice, byte for byte, is a repetition and is handed out only by
    `repeated`."""

    def __init__(self, host: str = HOST) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host = f"[{host}]" if ":" in host else host
        self.transport = "UDP"
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.engine: tuple[str, int] = (HOST, 0)
        self.heard: list[Heard] = []
        self.unread: list[Heard] = []
        self.counts: dict[str, int] = {}

    def close(self) -> None:
        self.socket.close()

    def send(self, text: str, to: tuple[str, int] | None = None) -> None:
        self.socket.sendto(text.encode("utf-8", "surrogateescape"), to or self.engine)

    def contact(self, user: str) -> str:
        return f"<sip:{user}@{self.host}:{self.port}{'' if self.transport == 'UDP' else f';transport={self.transport}'}>"  # noqa: E501

    async def hear(self, what: str, seconds: float = 10.0) -> Heard:
        """The next message of this method or code; others that came meanwhile stay to be heard."""
        async with asyncio.timeout(seconds):
            while True:
                for message in self.unread:
                    if message.what == what:
                        self.unread.remove(message)
                        return message
                await self._take()

    async def repeated(self, message: Heard, times: int, seconds: float = 10.0) -> None:
        """Wait until a message has come so many times."""
        async with asyncio.timeout(seconds):
            while self.counts[message.text] < times:
                await self._take()

    async def _take(self) -> None:
        data, source = await next_datagram(self.socket)
        text = data.decode("utf-8", "surrogateescape")
        self.counts[text] = self.counts.get(text, 0) + 1
        if self.counts[text] == 1:
            message = Heard(text, source)
            self.heard.append(message)
            self.unread.append(message)

    def never(self, *what: str) -> None:
        """Nothing of these methods or codes has come so far."""
        assert not [message.start for message in self.heard if message.what in what]

    # --- writing ----------------------------------------------------------------------------------

    def request(
        self, method: str, *, cseq: int = 1, call: Call | None = None, body: str = "", **headers: str
    ) -> str:
        """A request as text: out of a dialog, or in `call`. `headers`: more, or others, `_` for
        `-`; "" leaves one out."""
        given = {
            "Via": f"SIP/2.0/{self.transport} "
            f"{self.host}:{self.port};rport;branch=z9hG4bK{secrets.token_hex(6)}",
            "From": call.local if call else f'"Ann" <sip:ann@{self.host}:{self.port}>;tag=near',
            "To": call.remote if call else f"<sip:bob@{HOST}>",
            "Call-ID": call.call_id if call else f"{secrets.token_hex(6)}@peer",
            "CSeq": f"{cseq} {method}",
            "Contact": self.contact("me"),
            "Max-Forwards": "70",
        }
        given |= {"Content-Type": "application/sdp"} if body else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        rows = [f"{method} {call.target if call else f'sip:bob@{HOST}:{self.engine[1]}'} SIP/2.0"]
        rows += [f"{name}: {value}" for name, value in given.items() if value]
        return "\r\n".join([*rows, f"Content-Length: {len(body)}", "", body])

    def reply(self, to: Heard, code: int, tag: str = "far", body: str = "", **headers: str) -> str:
        """A response as text, sent."""
        given = {"Contact": self.contact("far")}
        given |= {"Content-Type": "application/sdp"} if body else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        rows = [f"SIP/2.0 {code} Whatever", *(f"Via: {via}" for via in to.all("Via"))]
        own = to.one("To") if ";tag=" in to.one("To") or not tag else f"{to.one('To')};tag={tag}"
        rows += [
            f"From: {to.one('From')}",
            f"To: {own}",
            f"Call-ID: {to.one('Call-ID')}",
            f"CSeq: {to.one('CSeq')}",
        ]
        rows += [f"{name}: {value}" for name, value in given.items() if value]
        text = "\r\n".join([*rows, f"Content-Length: {len(body)}", "", body])
        self.send(text, to.source)
        return text


@dataclass
class Call:
    """A dialog from the peer's side."""

    call_id: str
    local: str
    remote: str
    target: str

    @classmethod
    def placed(cls, answer: Heard) -> Call:
        """Of the 2xx (or 1xx) to the peer's INVITE."""
        return cls(answer.one("Call-ID"), answer.one("From"), answer.one("To"), answer.contact)

    @classmethod
    def taken(cls, invite: Heard, tag: str = "far") -> Call:
        """Of an INVITE that the peer answers."""
        return cls(invite.one("Call-ID"), f"{invite.one('To')};tag={tag}", invite.one("From"), invite.contact)


class FarEnd:
    """Answers every call, and sends its 200 every 100 ms until the ACK is there. `relay`: through
    whom it sends."""

    def __init__(self, port: int, relay: tuple[str, int]) -> None:
        self._peer = SipPeer()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, port))
        self._socket.setblocking(False)
        self._peer.socket.close()
        self._peer.socket, self._peer.port = self._socket, port
        self._relay = relay
        self._repeating: dict[str, asyncio.Task[None]] = {}
        self._task = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        while True:
            data, _ = await asyncio.get_running_loop().sock_recvfrom(self._socket, 65536)
            message = Heard(data.decode(), self._relay)
            call = message.one("Call-ID")
            if message.what == "INVITE" and call not in self._repeating:
                self._repeating[call] = asyncio.create_task(self._answer(message))
            elif message.what == "ACK":
                self._repeating[call].cancel()
            elif message.what == "BYE":
                self._peer.reply(message, 200)

    async def _answer(self, invite: Heard) -> None:
        self._peer.reply(invite, 180)
        while True:
            self._peer.reply(invite, 200, body=SDP.format("far"))
            await asyncio.sleep(0.1)

    def close(self) -> None:
        for task in (self._task, *self._repeating.values()):
            task.cancel()
        self._socket.close()
