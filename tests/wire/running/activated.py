"""Starts a program of Python as systemd does where it kept descriptors for it.

`activated.py ARGUMENTS OF PYTHON`; the unix socket of whoever keeps them is in ACTIVATED_BY.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys

FIRST, MANY = 3, 100  # where the descriptors begin; above all of them


def main() -> None:
    """Raises OSError."""
    with socket.socket(socket.AF_UNIX) as manager:
        manager.connect(os.environ.pop("ACTIVATED_BY"))
        names, received, _, _ = socket.recv_fds(manager, 65536, MANY)
    moved = [fcntl.fcntl(number, fcntl.F_DUPFD, MANY) for number in received]
    for place, number in enumerate(moved, FIRST):
        os.dup2(number, place, inheritable=True)
    os.environ |= {
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": str(len(moved)),
        "LISTEN_FDNAMES": names.decode(),
    }
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


if __name__ == "__main__":
    main()
