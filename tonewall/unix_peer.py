"""Says who is at the other end of a unix socket, by the kernel's word (SO_PEERCRED, unix(7))."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

_UCRED = struct.Struct("iII")


class Credentials(NamedTuple):
    """Those of a process when it connected. `pid` is 0 for one that this PID namespace cannot
    name."""

    pid: int
    user: int
    group: int


def read_credentials(connection: socket.socket) -> Credentials:
    """Who connected. Raises OSError."""
    return Credentials(
        *_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    )


def is_our_user(credentials: Credentials) -> bool:
    """Whether that process runs as the user that we are; root is another one, too."""
    return credentials.user == os.geteuid()
