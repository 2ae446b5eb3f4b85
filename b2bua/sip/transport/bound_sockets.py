"""Sockets that are bound to the addresses of SIP: datagrams, or connections to be accepted.

The supervisor binds them once and keeps them, and each b2bua inherits them: what arrives while
none runs waits in the kernel.

Rule 1: nothing is received or accepted here.
Rule 2: all addresses are bound, or none.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from b2bua.sip.hop import Bind

SO_TIMESTAMPNS = 35  # socket(7): recvmsg learns when a datagram arrived
_BUFFER = 4 << 20  # bytes of the kernel's queues, as far as it lets us (net.core.rmem_max)
_BACKLOG = 512  # connections
_NONE: Mapping[str, socket.socket] = MappingProxyType({})


class BoundSocket(NamedTuple):
    """A socket with its address, of which the port is the one that was taken."""

    bind: Bind
    socket: socket.socket


def open_sockets(binds: Sequence[Bind], kept: Mapping[str, socket.socket] = _NONE) -> list[BoundSocket]:
    """Bind all of them, in this order, but those of which a socket was `kept` under its name.
    Raises OSError that names the address."""
    opened: list[BoundSocket] = []
    try:
        for bind in binds:
            old = kept.get(socket_name(bind))
            if old is not None:
                opened.append(BoundSocket(bind._replace(port=old.getsockname()[1]), old))
            else:
                opened.append(_open(bind, opened))
    except OSError:
        for each in opened:
            each.socket.close()
        raise
    return opened


def socket_name(bind: Bind) -> str:
    """The name under which a process inherits the socket of a configured address.

    It has no colon: systemd.exec(5) takes none in the name of a descriptor."""
    return f"sip_{bind.transport}_{bind.host}_{bind.port}".replace(":", "-")


def socket_kind(bind: Bind) -> socket.SocketKind:
    """What kind of socket receives at an address."""
    return socket.SOCK_STREAM if bind.transport.reliable else socket.SOCK_DGRAM


def take_sockets(binds: Sequence[Bind], table: Mapping[str, int]) -> list[BoundSocket]:
    """The sockets that this process inherited for the configured addresses; [] where it has none,
    or not all. Raises OSError for a descriptor that is no socket."""
    names = [socket_name(bind) for bind in binds]
    if not all(name in table for name in names):
        return []
    taken = [socket.socket(fileno=table[name]) for name in names]
    return [
        BoundSocket(bind._replace(port=each.getsockname()[1]), each)
        for bind, each in zip(binds, taken, strict=True)
    ]


def bind_datagrams(host: str, port: int) -> socket.socket:
    """A socket for datagrams; port 0 takes a free one. Raises OSError."""
    return _bound(socket.SOCK_DGRAM, host, port)


def _open(bind: Bind, others: Iterable[BoundSocket]) -> BoundSocket:
    wanted = bind.port or _shared_port(bind, others)
    kind = socket_kind(bind)
    try:
        try:
            opened = _bound(kind, bind.host, wanted)
        except OSError:
            if bind.port or not wanted:
                raise
            opened = _bound(kind, bind.host, 0)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{bind.transport}:{bind.host}:{bind.port}") from None
    return BoundSocket(bind._replace(port=opened.getsockname()[1]), opened)


def _shared_port(bind: Bind, others: Iterable[BoundSocket]) -> int:
    """The port that another transport has at that host, if both have one default (UDP, TCP)."""
    same = (
        taken.port
        for taken, _ in others
        if taken.host == bind.host
        and taken.transport is not bind.transport
        and taken.transport.default_port == bind.transport.default_port
    )
    return next(same, 0)


def _bound(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.listen(_BACKLOG)
        else:
            for queue in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                bound.setsockopt(socket.SOL_SOCKET, queue, _BUFFER)
            bound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
