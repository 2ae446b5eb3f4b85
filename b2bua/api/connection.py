"""One HTTP connection of the API: how many there may be, and how long a request may take to arrive.

Rule 1: a connection over the limit is told 503 and closed before anything of it is read.
Rule 2: a request's headers have HEADERS_TIME seconds from the connection's begin, or from their own
        first octet, however slowly they come; a body has BODY_TIME seconds (headers.py).
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from tonewall.log import get_logger

log = get_logger(__name__)
HEADERS_TIME: Final = 10.0
CONNECTIONS: Final = 1024
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    b"Retry-After: 5\r\nContent-Length: 89\r\n\r\n"
    b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Too many now"}'
)


def bounded(connections: int = CONNECTIONS, headers_time: float = HEADERS_TIME) -> type[asyncio.Protocol]:
    """The protocol of a server with so many connections at most. Times in seconds."""

    class Bounded(_Connection):
        most, patience = connections, headers_time

    return Bounded


class _Connection(H11Protocol):
    most: int
    patience: float

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            log.warning(
                "too_many_api_connections",
                peer=self.client[0] if self.client else None,
                count=self.most,
            )
            transport.write(_FULL)
            transport.close()
            return
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self.timeout_keep_alive_task is None:  # part of a request's headers
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.patience, self._too_late)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
