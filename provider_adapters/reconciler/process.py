"""Asks what became of charges, and does what is done later: `python -m
provider_adapters.reconciler.process --socket PATH`.

It reads its account from TONEWALL_PROVIDER_*, follows the journal, and serves b2bua and the webhook
process on PATH.

Rule 1: it never sees a card: nothing is read but the journal, the provider's answers and the
        messages of b2bua and the webhook process, of which none can hold one.
Rule 2: it obeys processes of its own user alone, as the kernel names them, whatever became of the
        socket's permissions.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from provider_adapters.account import Account
from provider_adapters.payer.environment import BadAccount, read_accounts
from provider_adapters.payment import WRONG_CONFIGURATION, FollowUpOutcome, Link, Outcome
from provider_adapters.reconciler.messages import (
    Inquiry,
    LaterInquiry,
    LaterRequest,
    LaterResult,
    LinkClosing,
    Noted,
    Noticed,
    Refused,
    Settle,
    ToReconciler,
)
from provider_adapters.reconciler.reconciler import Reconciler
from tonewall.confinement import ALONE, confine
from tonewall.frames import FrameConnection
from tonewall.log import configure_log, get_logger
from tonewall.process import end_with_parent, harden, ignore_hangup
from tonewall.process_loop import run_process
from tonewall.tasks import BackgroundTasks
from tonewall.unix_peer import is_our_user, read_credentials

log = get_logger(__name__)


class _Server:
    """b2bua's connections."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._tasks = BackgroundTasks()

    def connect(self) -> FrameConnection[ToReconciler]:
        """One connection's protocol."""
        connection: FrameConnection[ToReconciler]

        def received(message: ToReconciler) -> None:
            if isinstance(message, Inquiry):
                connection.send(self._reconciler.inquire(message))
            elif isinstance(message, LaterInquiry):
                connection.send(self._reconciler.repetition.resolve(message))
            elif isinstance(message, Settle):
                connection.send(self._reconciler.settlements.settle(message))
            elif isinstance(message, Refused):
                self._reconciler.refusals.add(message)
                connection.send(Noted(kept=True))
            elif isinstance(message, Noticed):
                connection.send(Noted(kept=self._reconciler.notice(message.notices)))
            else:
                self._tasks.start(answer(message), "later")

        async def answer(message: LaterRequest | LinkClosing) -> None:
            outcome: FollowUpOutcome | Outcome | Link
            if isinstance(message, LinkClosing):
                outcome = await self._reconciler.close_link(message)
            else:
                outcome = await self._reconciler.carry_out(message)
            connection.send(LaterResult(number=message.number, outcome=outcome))

        def greet(end: socket.socket) -> bool:
            peer = read_credentials(end)
            if not is_our_user(peer):
                log.error(
                    "connection_refused", path="reconciler.sock", pid=peer.pid, why="it runs as another user"
                )
                return False
            connection.send(self._reconciler.hello())
            return True

        connection = FrameConnection(cast("type[ToReconciler]", ToReconciler), received)
        connection.made = greet
        return connection

    async def close(self) -> None:
        """Let what was begun come to its end, for a moment at most."""
        await self._tasks.wait(2.0)


async def serve(accounts: Sequence[Account], path: Path) -> None:
    """Work until SIGTERM or SIGINT. Raises OSError where the socket cannot be made."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reconciler = Reconciler(accounts)
    requests = _Server(reconciler)
    server = await loop.create_unix_server(requests.connect, sock=_bind(path))
    log.info("ready", path=str(path))
    async with server:
        tasks = BackgroundTasks()
        # Without it nobody asks: better to be started again.
        tasks.start(reconciler.run(), "reconciler", stop.set)
        await stop.wait()
        await requests.close()
        await tasks.cancel()
    await reconciler.close()


def _bind(path: Path) -> socket.socket:
    """A unix socket for our own user alone. Raises OSError."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def main() -> int:
    """Run the reconciler. Returns 78 where its settings are wrong."""
    arguments = argparse.ArgumentParser(prog="provider_adapters.reconciler.process", description=main.__doc__)
    arguments.add_argument("--socket", type=Path, required=True, help="where it listens for b2bua")
    arguments.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    chosen = arguments.parse_args()
    configure_log("reconciler", chosen.log_level)
    ignore_hangup()
    end_with_parent()
    harden()
    confine(ALONE)
    try:
        run_process(serve(read_accounts(os.environ), chosen.socket))
    except BadAccount as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIGURATION
    except OSError as error:
        log.error("refused_to_start", why=error.strerror, path=str(chosen.socket), exc_info=error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
