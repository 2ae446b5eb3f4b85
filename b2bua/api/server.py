"""Serves the API inside a running event loop: bound when `serve` returns, gone when `close`
returns."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from b2bua.api.connection import CONNECTIONS, HEADERS_TIME, bounded_protocol
from b2bua.api.stream import Streams

_GRACE = 3  # seconds that answers under way have when the server stops


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that runs the loop."""
        yield


@dataclass(frozen=True, slots=True)
class Serving:
    """A running server."""

    host: str
    port: int
    task: asyncio.Task[None]
    _server: _Server
    _streams: Streams

    @property
    def url(self) -> str:
        """Base of the API's URLs, an IPv6 address in brackets."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    async def close(self) -> None:
        """Take no new connection, end the feeds, let answers under way finish for a few seconds,
        and stop."""
        self._streams.close()
        self._server.should_exit = True
        await self.task


async def serve(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    bound: socket.socket | None = None,
    connections: int = CONNECTIONS,
    headers_time: float = HEADERS_TIME,
) -> Serving:
    """Serve `app` (from `create_app`) on `host:port`, or on a listening socket that is given; port
    0 takes a free one.

    `connections`: the most at once; `headers_time`: seconds that a request's headers may take.

    Raises OSError where the address cannot be bound.
    """
    bound = bound or _bind_socket(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http=bounded_protocol(connections, headers_time),
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="api")
    ready = asyncio.create_task(server.ready.wait())
    address = bound.getsockname()
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        await task
        raise OSError("the HTTP server stopped before it had started")
    return Serving(address[0], address[1], task, server, app.state.streams)


def _bind_socket(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(1024)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, f"[api] {host}:{port}") from None
    return bound
