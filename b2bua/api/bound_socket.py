"""Binds the socket of the API, which loads no library of HTTP."""

from __future__ import annotations

import socket
from collections.abc import Mapping


def socket_name(host: str, port: int) -> str:
    """The name under which a process inherits the socket of the configured address."""
    return f"api_{host}_{port}".replace(":", "-")


def take_socket(host: str, port: int, table: Mapping[str, int]) -> socket.socket | None:
    """The socket that this process inherited for the configured address, where it has."""
    number = table.get(socket_name(host, port))
    return None if number is None else socket.socket(fileno=number)


def bind_socket(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError that names the address."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(1024)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, f"[api] {host}:{port}") from None
    return bound
