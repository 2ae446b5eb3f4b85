"""Takes HTTP requests of strangers: one a connection, in bounded time and memory.

Rule 1: at most so many connections at once, counted from the moment that they are accepted; more
        are closed unread.
Rule 2: TLS handshake, request and answer share one deadline.
Rule 3: a head has at most MAX_HEAD octets, a body MAX_BODY, announced or not.
Rule 4: a connection is closed after its answer, so no second request can hide in it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import h11

from provider_adapters.reconciler.messages import WebhookRefusal
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
MAX_HEAD = 16 * 1024
MAX_BODY = 64 * 1024
_HEADERS_TOO_LARGE = 431
_CHUNK = 16 * 1024
_PAUSE = 0.5  # seconds after an accept that failed: for want of descriptors, as a rule


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, whole. `headers`: names in lower case; `path` without its query, which is
    `query`."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""


class _Refused(Exception):
    """The request is not read to its end: it is too large."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Listener:
    """Answers by `respond`. `refused` hears of each request that does not get so far; `context`:
    for TLS, where this end has it; `connections`: the most at once; `request_time`: seconds for all
    of a request."""

    def __init__(
        self,
        respond: Callable[[HttpRequest], Awaitable[Answer]],
        refused: Callable[[WebhookRefusal], None],
        *,
        context: ssl.SSLContext | None,
        connections: int,
        request_time: float,
    ) -> None:
        self._respond, self._refused, self._context = respond, refused, context
        self._connections, self._request_time = connections, request_time
        self._tasks = BackgroundTasks()

    async def serve(self, bound: socket.socket) -> None:
        """Accept from a listening socket that does not block, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(bound)
            except OSError as error:
                log.error("accept_failed", exc_info=error)
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._tasks) >= self._connections:
                accepted.close()
                self._refused(WebhookRefusal.TOO_MANY_CONNECTIONS)
                continue
            self._tasks.start(self._converse(accepted), "webhook")

    async def close(self, patience: float = 2.0) -> None:
        """Let answers under way leave, for a moment at most."""
        await self._tasks.wait(patience)
        await self._tasks.cancel()

    async def _converse(self, accepted: socket.socket) -> None:
        """One connection."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport: asyncio.Transport | None = None
        try:
            async with asyncio.timeout(self._request_time):
                transport, _ = await loop.connect_accepted_socket(
                    lambda: protocol,
                    accepted,
                    ssl=self._context,
                    ssl_handshake_timeout=self._request_time if self._context else None,
                )
                writer = asyncio.StreamWriter(transport, protocol, reader, loop)
                await self._exchange(reader, writer)
                writer.close()
                await writer.wait_closed()
        # A stranger who is slow, leaves or speaks no TLS is no event of ours.
        except (OSError, TimeoutError):
            pass
        finally:
            if transport is None:
                accepted.close()
            else:
                transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        try:
            request = await _receive(connection, reader, writer)
            if request is None:
                return
            answer = await self._respond(request)
        except h11.RemoteProtocolError as error:
            is_long = error.error_status_hint == _HEADERS_TOO_LARGE
            self._refused(WebhookRefusal.TOO_LARGE if is_long else WebhookRefusal.NOT_HTTP)
            answer = Answer(error.error_status_hint)
        except _Refused as error:
            self._refused(WebhookRefusal.TOO_LARGE)
            answer = Answer(error.status)
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await _send(connection, writer, answer)


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> HttpRequest | None:
    """The request; None where the connection ended before there was one. Raises
    h11.RemoteProtocolError, _Refused."""
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = connection.send(h11.InformationalResponse(status_code=100, headers=[]))
                writer.write(go_on or b"")
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            head = event
            if _announced(event) > MAX_BODY:
                raise _Refused(413)
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise _Refused(413)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            path, _, query = head.target.decode("latin-1").partition("?")
            return HttpRequest(head.method.decode("latin-1"), path, headers, bytes(body), query)
        else:
            return None


def _announced(request: h11.Request) -> int:
    """The length of the body by the request's head; h11 has seen that it is a number."""
    return next((int(value) for name, value in request.headers if name == b"content-length"), 0)


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer) -> None:
    head = h11.Response(
        status_code=answer.status,
        headers=[
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(answer.body))),
            ("Connection", "close"),
        ],
    )
    for event in (head, h11.Data(data=answer.body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    await writer.drain()
