"""Adds the browser's protections to every answer, and limits the body of every request.

Rule 1: the page runs our own files only: no inline script or style, nothing from elsewhere; framed
        by our own pages only, and the embedded form by those alone that the settings name.
Rule 2: no answer of the API is kept by any cache.
Rule 3: a body is cut off at MAX_BODY bytes, announced or not.
Rule 4: a request whose end is not certain (Content-Length beside Transfer-Encoding, RFC 9112
        section 6.3) is refused and its connection closed, so that nobody can put a second one into
        it; a body that takes too long ends the same way.
Rule 5: over HTTPS, browsers are told to come by nothing else (HSTS, RFC 6797).
Rule 6: an unexpected error is logged; its answer has nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from b2bua.api.problems import UNEXPECTED, problem
from tonewall.log import get_logger

log = get_logger(__name__)

_CLOSE: Final = {"Connection": "close"}
BODY_TIME: Final = 10.0  # seconds for all of a body
_HSTS: Final = "max-age=31536000"
MAX_BODY: Final = 8192  # bytes; the largest order is under 1,500


def security_headers(frame_ancestors: str = "'self'") -> dict[str, str]:
    """The headers of every answer. `frame_ancestors`: CSP sources of the pages that may embed ours
    (CSP level 3 section 6.4.2). Raises ValueError where that would be more than one directive."""
    allowed = frame_ancestors.strip()
    if not allowed or not allowed.isascii() or not allowed.isprintable() or set(allowed) & set(";,"):
        raise ValueError(
            "frame_ancestors: expected CSP sources between spaces, such as 'self' https://crm.example"
        )
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

    def __init__(
        self,
        app: ASGIApp,
        headers: Mapping[str, str],
        framed: Mapping[str, Mapping[str, str]],
        body_time: float = BODY_TIME,
    ) -> None:
        """`headers`: from `security_headers`; `framed`: those of paths that have others.
        `body_time`: seconds."""
        self._app, self._body_time = app, body_time
        self._headers, self._framed = headers, framed

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
                for name, value in self._framed.get(scope["path"], self._headers).items():
                    headers[name] = value
                if scope.get("scheme") == "https":
                    headers["Strict-Transport-Security"] = _HSTS
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        received, whole = 0, False
        until = asyncio.get_running_loop().time() + self._body_time

        async def receive_limited() -> Message:
            nonlocal received, whole
            try:
                # Once the body is whole, this waits for the end of the connection.
                async with asyncio.timeout_at(None if whole else until):
                    message = await receive()
            except TimeoutError:
                raise _BodyTooLate from None
            if message["type"] == "http.request":
                whole = not message.get("more_body", False)
                received += len(message.get("body", b""))
                if received > MAX_BODY:
                    raise _BodyTooLarge
            return message

        try:
            if _has_uncertain_end(scope):
                raise _EndUncertain
            if _announced_length(scope) > MAX_BODY:
                raise _BodyTooLarge
            await self._app(scope, receive_limited, send_hardened)
        except _BodyTooLarge:
            if not started:
                answer = problem(413, f"The body is larger than {MAX_BODY} bytes.", _CLOSE)
                await answer(scope, receive, send_hardened)
        except _EndUncertain:
            await problem(400, "The end of the request is not certain.", _CLOSE)(
                scope, receive, send_hardened
            )
        except _BodyTooLate:
            if not started:
                await problem(408, "The body took too long.", _CLOSE)(scope, receive, send_hardened)
        except Exception as error:
            log.error("request_failed", method=scope["method"], exc_info=error)
            if started:
                raise
            await problem(500, UNEXPECTED)(scope, receive, send_hardened)


class _BodyTooLate(BaseException):
    """The body did not come in time. No Exception, for the reason of `_BodyTooLarge`."""


class _EndUncertain(BaseException):
    """The end of the request is not certain."""


class _BodyTooLarge(BaseException):
    """Not an Exception, so that what reads the body between here and the route does not turn it
    into another answer."""


def _has_uncertain_end(scope: Scope) -> bool:
    names = [name for name, _ in scope["headers"]]
    both = b"transfer-encoding" in names and b"content-length" in names
    return both or (b"transfer-encoding" in names and scope.get("http_version") == "1.0")


def _announced_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else MAX_BODY + 1
    return 0
