"""A supervisor that a test plays: a process that gives the test its socket to the keeper, and its
signals, and does nothing else.

`played_supervisor.py PATH`: of the unix socket on which the test waits for it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from tonewall.keeper import VARIABLE


def main() -> None:
    """Raises OSError."""
    numbers = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    with socket.socket(socket.AF_UNIX) as test:
        test.connect(sys.argv[1])
        socket.send_fds(test, [str(os.getpid()).encode()], [int(os.environ[VARIABLE])])
        while (number := signal.sigwait(numbers)) != signal.SIGTERM:
            test.send(signal.Signals(number).name.encode())
    raise SystemExit(3)


if __name__ == "__main__":
    main()
