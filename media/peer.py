"""Who may command media: the process that the supervisor has named, by process id and the time at
which it started.

Rule 1: the kernel says who connects (SO_PEERCRED); a number that was given to another process since
        does not count.
Rule 2: nobody is admitted before the supervisor has named somebody.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from tonewall.log import get_logger
from tonewall.process import started_at
from tonewall.unix_peer import read_credentials

log = get_logger(__name__)
NAMED = b"b2bua "  # what the supervisor's message begins with; process id and start time follow


def naming(pid: int) -> bytes:
    """The supervisor's message that names a process; b"" where there is none of that number."""
    started = started_at(pid)
    return b"" if started is None else NAMED + f"{pid} {started}".encode()


@dataclass(slots=True)
class Peer:
    """The process that may connect. `anybody`: no supervisor is there to name one."""

    anybody: bool = True
    _pid: int = 0
    _started: int = 0

    def name(self, message: bytes) -> None:
        """Take the supervisor's word."""
        pid, started = message.removeprefix(NAMED).split()
        self._pid, self._started = int(pid), int(started)

    def admits(self, connection: socket.socket) -> bool:
        """Whether its other end is that process; whoever else it is, is logged."""
        if self.anybody:
            return True
        pid = read_credentials(connection).pid
        if pid and pid == self._pid and started_at(pid) == self._started:
            return True
        if pid and started_at(pid) is None:  # it had connected while no media was there to accept it
            log.info("connection_dropped", path="media.sock", pid=pid, why="who connected has ended")
            return False
        log.error(
            "connection_refused", path="media.sock", pid=pid, why="it is not the b2bua that was started"
        )
        return False
