"""Serves the tools by the Model Context Protocol, over streamable HTTP."""

from __future__ import annotations

import ssl
from contextvars import ContextVar
from typing import Final

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from b2bua.voice_bot.tools import Tools
from tonewall.version import VERSION

PATH: Final = "/mcp"
_SCHEME = "bearer "
# What the API answers where a token is wrong, or too many of them came.
_REFUSALS = (401, 429)
_token: ContextVar[str] = ContextVar("token", default="")


def build_app(url: str, verify: ssl.SSLContext | bool = True) -> ASGIApp:
    """The server over the API at `url`. Each request needs a token of the API's. `verify`: by what
    the API's certificate is verified, True: the public authorities."""
    server = MCPServer(
        "tonewall",
        version=VERSION,
        instructions=(
            "Take card payments in phone calls. The customer keys the card on the phone; you never hear or "
            "receive a digit. Say what `say` has, wait with payment_status, and charge only when the "
            "customer has agreed."
        ),
    )
    tools = Tools(url, _token.get, verify)
    for tool in tools.all:
        server.add_tool(tool)
    # Programs send the token by themselves, not browsers: a page that was tricked has none.
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        json_response=True,
        max_request_body_size=65_536,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return RequireBearer(app, tools)


class RequireBearer:
    """Refuses requests without a bearer token that the API knows, and keeps that of each for its
    tools. Where the API does not answer, the tools say so."""

    def __init__(self, app: ASGIApp, tools: Tools) -> None:
        self._app = app
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            refusal = await self._refusal(given)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            _token.set(given[len(_SCHEME) :].strip())
        await self._app(scope, receive, send)

    async def _refusal(self, credentials: str) -> PlainTextResponse | None:
        """The answer to a request that may not come in."""
        if not credentials.lower().startswith(_SCHEME):
            return PlainTextResponse("a token of the API is needed", 401, {"WWW-Authenticate": "Bearer"})
        answer = await self._tools.present(credentials)
        if answer is None or answer.status_code not in _REFUSALS:
            return None
        headers = {
            name: answer.headers[name]
            for name in ("WWW-Authenticate", "Retry-After")
            if name in answer.headers
        }
        return PlainTextResponse("the API does not know this token", answer.status_code, headers)
