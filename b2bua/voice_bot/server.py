"""Serves the tools by the Model Context Protocol, over streamable HTTP."""

from __future__ import annotations

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
_token: ContextVar[str] = ContextVar("token", default="")


def build_app(url: str) -> ASGIApp:
    """The server over the API at `url`. Each request needs a token of the API's."""
    server = MCPServer(
        "tonewall",
        version=VERSION,
        instructions=(
            "Take card payments in phone calls. The customer keys the card on the phone; you never hear or "
            "receive a digit. Say what `say` has, wait with payment_status, and charge only when the "
            "customer has agreed."
        ),
    )
    for tool in Tools(url, _token.get).all:
        server.add_tool(tool)
    # Programs send the token by themselves, not browsers: a page that was tricked has none.
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        json_response=True,
        max_request_body_size=65_536,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    return RequireBearer(app)


class RequireBearer:
    """Refuses requests without a bearer token, and keeps that of each for its tools."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            if not given.lower().startswith(_SCHEME):
                refusal = PlainTextResponse("a token of the API is needed", 401)
                refusal.headers["WWW-Authenticate"] = "Bearer"
                await refusal(scope, receive, send)
                return
            _token.set(given[len(_SCHEME) :].strip())
        await self._app(scope, receive, send)
