"""A service of the company's that takes payment links: a real HTTPS server, which verifies what it
gets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ssl
from typing import Any

import msgspec

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """An HTTPS server that keeps what it gets. `answers`: the next ones, status line and what
    follows; then 200."""

    def __init__(self, certificate: str, key: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self.answers: list[bytes] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.silent = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"https://localhost:{self._server.sockets[0].getsockname()[1]}/links?x=1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for each in tuple(self._tasks):
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            kept = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
            signed = {name.lower(): value for name, value in kept.items()}
            self.got.append((head[0], signed, body))
            if self.silent:
                await asyncio.Event().wait()
            answer = self.answers.pop(0) if self.answers else b"200 OK\r\nContent-Length: 0\r\n\r\n"
            writer.write(b"HTTP/1.1 " + answer)
            await writer.drain()
            writer.close()
        self._tasks.discard(task)

    def verified(self) -> list[dict[str, Any]]:
        """The bodies, each of a signature that is right."""
        found = []
        for _, headers, body in self.got:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            digest = hmac.new(KEY, signed, hashlib.sha256).digest()
            assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
            found.append(msgspec.json.decode(body))
        return found
