"""`tonewall mcp`: tools for voice bots, over the API of a running Tonewall."""

from __future__ import annotations

import importlib.util
import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from b2bua.api.own_certificate import FollowedCertificate
from b2bua.commands.configuration import give_up
from tonewall.address import base_url

if TYPE_CHECKING:
    from b2bua.api.tls import ServerTls

_CONNECTIONS = 256  # at once; more are refused


def mcp(
    api: Annotated[
        str, typer.Option(help="Where the API is, as http://127.0.0.1:8080.")
    ] = "http://127.0.0.1:8080",
    api_certificate: Annotated[
        Path | None,
        typer.Option(help="The certificate that an https API must show (PEM); else a public authority's."),
    ] = None,
    address: Annotated[str, typer.Option(help="The numeric address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The TCP port to listen on.")] = 8090,
    tls_certificate: Annotated[
        str, typer.Option(help="Our certificate chain for HTTPS (PEM); a changed one is taken at once.")
    ] = "",
    tls_key: Annotated[str, typer.Option(help="Its private key, where it is not in the same file.")] = "",
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="HTTP, tokens in clear, on another address than loopback.")
    ] = False,
) -> None:
    """Serve tools for voice bots by the Model Context Protocol (docs/voice-bots.md)."""
    if importlib.util.find_spec("mcp") is None:
        give_up("the Model Context Protocol is missing: pip install 'tonewall[mcp]'")
    if not (tls_certificate or plain_http or _is_loopback(address)):
        give_up(
            f"--address {address} is no loopback address, and tokens would cross the network in clear: give "
            "--tls-certificate, or put a TLS proxy in front of 127.0.0.1; --plain-http does it all the same"
        )
    tls = _open_tls(tls_certificate, tls_key)
    verify = _trust(api_certificate)
    # Half a second that no other command needs.
    import uvicorn  # noqa: PLC0415

    from b2bua.api.bound_socket import bind_socket  # noqa: PLC0415
    from b2bua.api.connection import bounded_protocol  # noqa: PLC0415
    from b2bua.api.server import TlsServer  # noqa: PLC0415
    from b2bua.api.tls_listener import HANDSHAKE_TIME  # noqa: PLC0415
    from b2bua.voice_bot.server import PATH, build_app  # noqa: PLC0415

    config = uvicorn.Config(
        build_app(api, verify), log_level="warning", server_header=False,
        http=bounded_protocol(_CONNECTIONS, tls=tls),
    )  # fmt: skip
    try:
        listening = bind_socket(address, port)
    except OSError as error:
        give_up(f"{base_url(address, port)} cannot be listened on: {error.strerror}")
    where = base_url(address, listening.getsockname()[1], "https" if tls else "http")
    typer.echo(f"tools at {where}{PATH}, over the API at {api}")
    TlsServer(config, tls, _CONNECTIONS, HANDSHAKE_TIME).run(sockets=[listening])


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        give_up(f"--address: expected a numeric IP address, not {address}")


def _open_tls(certificate: str, key: str) -> ServerTls | None:
    if not certificate:
        return None
    from b2bua.api.tls import ServerTls, TlsFiles  # noqa: PLC0415  # as above

    try:
        return ServerTls(TlsFiles(certificate, key))
    except OSError as error:
        give_up(f"--tls-certificate and --tls-key cannot be used: {error.strerror or error}")


def _trust(certificate: Path | None) -> ssl.SSLContext | bool:
    if certificate is None:
        return True
    try:
        return FollowedCertificate(certificate)
    except OSError as error:
        give_up(f"--api-certificate cannot be used: {error.strerror or error}")
