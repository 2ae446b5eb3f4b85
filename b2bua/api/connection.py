"""Limits the HTTP connections of the API, and the time that a request may take to arrive.

Rule 1: a connection over the limit is answered with 503 and closed; nothing of it is read.
Rule 2: a request's headers have HEADERS_TIME seconds from the connection's begin, or from their own
        first octet, however slowly they come; a body has BODY_TIME seconds (hardening.py).
Rule 3: a certificate that a client has shown is part of the state of its requests. Where our files
        of authorities or revocations changed since, the connection ends within seconds.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from b2bua.access.certificates import STATE
from b2bua.api.tls import ServerTls
from tonewall.log import get_logger

log = get_logger(__name__)
HEADERS_TIME: Final = 10.0
CONNECTIONS: Final = 1024
_WATCH_INTERVAL: Final = 2.0  # seconds
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    b"Retry-After: 5\r\nContent-Length: 89\r\n\r\n"
    b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Too many now"}'
)


def bounded_protocol(
    connections: int = CONNECTIONS, headers_time: float = HEADERS_TIME, tls: ServerTls | None = None
) -> type[H11Protocol]:
    """The protocol class of a server. `connections`: the most at once; `headers_time`: seconds;
    `tls`: our side of TLS, where there is one before it."""
    own = tls

    class Bounded(_Connection):
        max_connections, timeout, tls = connections, headers_time, own

    return Bounded


class _Connection(H11Protocol):
    max_connections: int
    timeout: float  # seconds for the headers of a request
    tls: ServerTls | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            log.warning(
                "too_many_api_connections",
                peer=self.client[0] if self.client else None,
                count=self.max_connections,
            )
            transport.write(_FULL)
            transport.close()
            return
        self._take_certificate(transport)
        self._expect_headers()

    def _take_certificate(self, transport: asyncio.Transport) -> None:
        secured = transport.get_extra_info("ssl_object")
        certificate = secured.getpeercert(binary_form=True) if secured is not None else None
        if certificate:
            self.app_state = {**self.app_state, STATE: certificate}
            self._watch_certificate()

    def _watch_certificate(self) -> None:
        """End the connection, where a certificate was verified by other files than those in
        force."""
        assert self.tls is not None
        if self.transport.get_extra_info("sslcontext") is not self.tls.context():
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(_WATCH_INTERVAL, self._watch_certificate)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_deadline()
        elif self.timeout_keep_alive_task is None:  # part of a request's headers
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.timeout, self._abort_late_request)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _abort_late_request(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
