"""A SIP peer over TCP or TLS, played by the test line by line; it frames what it hears by
itself."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from tests.stack import free_port
from tests.wire import certificates
from tests.wire.sip_peer import HOST, Heard, SipPeer


class StreamPeer(SipPeer):
    """Listens on the port that its contacts name, and connects where the test says. It sends over
    the newest connection."""

    def __init__(self, host: str, tls: bool = False) -> None:
        super().__init__(host)
        self.transport = "TLS" if tls else "TCP"
        self.accepted = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.crlfs = b""  # what came between messages
        self._queue: asyncio.Queue[Heard] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def listen(self, context: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(
            self._accepted, self.host.strip("[]"), self.port, ssl=context
        )

    async def connect(self, context: ssl.SSLContext | None = None, port: int | None = None) -> None:
        local = (self.host.strip("[]"), 0)
        where = (self.engine[0], port or self.engine[1])
        name = "" if context else None
        reader, writer = await asyncio.open_connection(
            *where, local_addr=local, ssl=context, server_hostname=name
        )
        self._hold(reader, writer)

    async def stop(self) -> None:
        """As if the peer's machine had been restarted: its connections are reset, nobody
        listens."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        for writer in self.writers:
            with contextlib.suppress(
                AttributeError
            ):  # asyncio's own, over TLS that the other side has closed
                writer.transport.abort()
        self.writers.clear()
        await asyncio.sleep(0)

    def send(self, text: str, to: tuple[str, int] | None = None) -> None:
        self.send_raw(text.encode())

    def send_raw(self, data: bytes) -> None:
        self.writers[-1].write(data)

    async def closed(self, seconds: float = 10.0) -> None:
        """Until the engine has closed the newest connection."""
        await asyncio.wait_for(asyncio.shield(self._tasks[-1]), seconds)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._hold(reader, writer)

    def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self._tasks.append(asyncio.create_task(self._read(reader, writer)))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = ("", 0)
        with contextlib.suppress(AttributeError, TypeError):  # where it has been reset already
            source = writer.get_extra_info("peername")[:2]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n")
                if head == b"\r\n":
                    self.crlfs += head
                    continue
                head += await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
                self._queue.put_nowait(Heard((head + await reader.readexactly(length)).decode(), source))
        writer.close()

    async def _take(self) -> None:
        message = await self._queue.get()
        self.counts[message.text] = self.counts.get(message.text, 0) + 1
        self.heard.append(message)
        self.unread.append(message)


class StreamCarrier(StreamPeer):
    """A carrier that connects to a whole Tonewall. `general`, `keys`: its lines of `[general]` and
    `[carrier]`."""

    def __init__(self, transport: str, folder: Path) -> None:
        super().__init__(HOST, transport == "tls")
        self._listening = free_port()
        self._context: ssl.SSLContext | None = None
        self.general = {"listen": f"udp:{HOST}:0, {transport}:{HOST}:{self._listening}"}
        self.keys = {"transport": transport}
        if transport == "tls":
            authority = certificates.Authority(folder)
            self._context = certificates.client(authority.file)
            self.general |= dict(zip(("tls_certificate", "tls_key"), authority.issue(HOST), strict=True))
            self.keys["tls_ca"] = authority.file

    async def join(self) -> None:
        await self.connect(self._context, self._listening)


@contextlib.asynccontextmanager
async def stream_carrier(transport: str, folder: Path) -> AsyncIterator[StreamCarrier]:
    """Not yet connected; its connection ends with the block. `folder`: for certificates."""
    carrier = StreamCarrier(transport, folder)
    try:
        yield carrier
    finally:
        await carrier.stop()
        carrier.close()


def free_pair(host: str) -> int:
    """A port that is free for UDP and for TCP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind((host, 0))
            with contextlib.suppress(OSError):
                datagram.bind((host, stream.getsockname()[1]))
                return int(stream.getsockname()[1])
