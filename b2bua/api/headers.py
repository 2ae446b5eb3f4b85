"""What every answer carries, and how much any request may: the browser's protections and a limit on bodies.

Rule 1: the page runs our own files only: no inline script or style, nothing from elsewhere; framed by our own
        pages only, or where `frame_ancestors` says.
Rule 2: no answer of the API is kept by any cache.
Rule 3: a body is cut off at LARGEST_BODY bytes, announced or not.
Rule 4: an error that nobody expected is logged, and says nothing of itself to the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from b2bua.api.problems import UNEXPECTED, problem
from tonewall.log import get_logger

log = get_logger(__name__)

LARGEST_BODY: Final = 8192  # bytes; the largest order is under 1,500


def security_headers(frame_ancestors: str = "'self'") -> dict[str, str]:
    """The headers. `frame_ancestors`: CSP sources of the pages that may embed ours (CSP level 3 section 6.4.2).

    Raises ValueError where that would be more than one directive.
    """
    allowed = frame_ancestors.strip()
    if not allowed or not allowed.isascii() or not allowed.isprintable() or set(allowed) & set(";,"):
        raise ValueError("frame_ancestors: expected CSP sources between spaces, such as 'self' https://crm.example")
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; "
            f"frame-ancestors {allowed}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }
    if allowed == "'self'":
        headers["X-Frame-Options"] = "SAMEORIGIN"
    return headers


class Harden:
    """ASGI middleware that adds the security headers and limits bodies."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        """`headers`: from `security_headers`."""
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_hardened(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > LARGEST_BODY:
                    raise _TooLarge
            return message

        try:
            if _announced(scope) > LARGEST_BODY:
                raise _TooLarge
            await self._app(scope, receive_limited, send_hardened)
        except _TooLarge:
            if not started:
                answer = problem(413, f"The body is larger than {LARGEST_BODY} bytes.", {"Connection": "close"})
                await answer(scope, receive, send_hardened)
        except Exception as error:
            log.error("request_failed", method=scope["method"], exc_info=error)
            if started:
                raise
            await problem(500, UNEXPECTED)(scope, receive, send_hardened)


class _TooLarge(BaseException):
    """Not an Exception, so that what reads the body between here and the route does not turn it into another answer."""


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else LARGEST_BODY + 1
    return 0
