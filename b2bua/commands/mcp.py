"""`tonewall mcp`: tools for voice bots, over the API of a running Tonewall."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from b2bua.commands.configuration import give_up

_CONNECTIONS = 256  # at once; more get 503


def mcp(
    api: Annotated[
        str, typer.Option(help="Where the API is, as http://127.0.0.1:8080.")
    ] = "http://127.0.0.1:8080",
    address: Annotated[str, typer.Option(help="The address to listen on; TLS is for a proxy.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The TCP port to listen on.")] = 8090,
) -> None:
    """Serve tools for voice bots by the Model Context Protocol (docs/voice-bots.md)."""
    if importlib.util.find_spec("mcp") is None:
        give_up("the Model Context Protocol is missing: pip install 'tonewall[mcp]'")
    # Half a second that no other command needs.
    import uvicorn  # noqa: PLC0415

    from b2bua.voice_bot.server import PATH, build_app  # noqa: PLC0415

    host = f"[{address}]" if ":" in address else address
    typer.echo(f"tools at http://{host}:{port}{PATH}, over the API at {api}")
    uvicorn.run(
        build_app(api), host=address, port=port, log_level="warning", server_header=False,
        limit_concurrency=_CONNECTIONS,
    )  # fmt: skip
