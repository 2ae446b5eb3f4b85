"""Makes a span of each request to the API."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from b2bua.telemetry.spans import Span, request_span


class RequestSpans:
    """ASGI middleware, the outermost. `put`: exports a span. A feed's request lasts as long as its
    connection."""

    def __init__(self, app: ASGIApp, put: Callable[[Span], None]) -> None:
        self._app, self._put = app, put

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start = time.time()
        try:
            await self._app(scope, receive, send_noted)
        finally:
            # The template, as the router has left it; the path has numbers and names in it.
            route = getattr(scope.get("route"), "path", None)
            self._put(request_span(scope["method"], route, status, start, time.time()))
