"""Serves the API inside a running event loop: bound when `serve` returns, gone when `close`
returns."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from b2bua.api.bound_socket import bind_socket
from b2bua.api.connection import CONNECTIONS, HEADERS_TIME, bounded_protocol
from b2bua.api.stream import Streams
from b2bua.api.tls import ServerTls
from b2bua.api.tls_listener import HANDSHAKE_TIME, TlsListener
from tonewall.address import base_url

_GRACE = 3  # seconds that answers under way have when the server stops


class TlsServer(uvicorn.Server):
    """A server of uvicorn's whose connections come by a TlsListener, where `tls` is given. Its
    limits are those of `bounded_protocol`."""

    def __init__(
        self, config: uvicorn.Config, tls: ServerTls | None, connections: int, handshake_time: float
    ) -> None:
        super().__init__(config)
        self._listener: TlsListener | None = None
        if tls is not None:
            self._listener = TlsListener(
                tls, self._new_protocol, self.server_state.connections,
                connections=connections, handshake_time=handshake_time,
            )  # fmt: skip

    def _new_protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        made: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._listener is None:
            await super().startup(sockets)
            return
        await super().startup([])
        for listening in sockets or ():
            self._listener.start(listening)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._listener is not None:
            await self._listener.close()
        await super().shutdown(sockets)


class _Server(TlsServer):
    def __init__(
        self, config: uvicorn.Config, tls: ServerTls | None, connections: int, handshake_time: float
    ) -> None:
        super().__init__(config, tls, connections, handshake_time)
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
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Base of the API's URLs, an IPv6 address in brackets."""
        return base_url(self.host, self.port, self.scheme)

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
    tls: ServerTls | None = None,
    handshake_time: float = HANDSHAKE_TIME,
) -> Serving:
    """Serve `app` (from `create_app`) on `host:port`, or on a listening socket that is given; port
    0 takes a free one.

    `connections`: the most at once; `headers_time`: seconds that a request's headers may take;
    `tls`: for HTTPS, of which a handshake may take `handshake_time` seconds.

    Raises OSError where the address cannot be bound.
    """
    bound = bound or bind_socket(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http=bounded_protocol(connections, headers_time, tls),
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config, tls, connections, handshake_time)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="api")
    ready = asyncio.create_task(server.ready.wait())
    address = bound.getsockname()
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    if task.done():
        await task
        raise OSError("the HTTP server stopped before it had started")
    scheme = "http" if tls is None else "https"
    return Serving(address[0], address[1], task, server, app.state.streams, scheme)
