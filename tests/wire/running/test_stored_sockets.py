"""kill -9 of the keeper where systemd keeps its sockets: what arrives while nothing of Tonewall
runs is answered by the next."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.complaints import expect_error, permit_error
from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire.running import activated
from tests.wire.running.gone import is_gone
from tests.wire.sip_peer import HOST, SipPeer

NAMES = {"sip_udp_127.0.0.1_0", "sip_tcp_127.0.0.1_0", "api_127.0.0.1_0"}


class Systemd:
    """The manager's end of notifications, with a store of descriptors."""

    def __init__(self, directory: Path) -> None:
        self.address, self.hands_over_at = str(directory / "notify"), str(directory / "stored")
        self.stored: dict[str, int] = {}
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notified.bind(self.address)
        self._notified.setblocking(False)

    def read(self) -> dict[str, int]:
        """What is stored, after all that has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text, received, _, _ = socket.recv_fds(self._notified, 4096, 4)
                words = dict(line.split("=", 1) for line in text.decode().split("\n"))
                if "FDSTORE" in words:
                    [number] = received
                    assert words["FDPOLL"] == "0"
                    if self.stored.setdefault(words["FDNAME"], number) != number:
                        os.close(number)
                elif "FDSTOREREMOVE" in words:
                    os.close(self.stored.pop(words["FDNAME"]))
        return self.stored

    @contextlib.asynccontextmanager
    async def handing_over(self):
        """Give them to the process that is started meanwhile."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.hands_over_at)
            listener.listen()
            listener.setblocking(False)

            async def give() -> None:
                started, _ = await asyncio.get_running_loop().sock_accept(listener)
                with started:
                    socket.send_fds(started, [":".join(self.stored).encode()], list(self.stored.values()))

            giving = asyncio.create_task(give())
            yield
            await giving

    def close(self) -> None:
        self._notified.close()
        for number in self.stored.values():
            os.close(number)


@contextlib.contextmanager
def systemd(directory: Path) -> Iterator[Systemd]:
    manager = Systemd(directory)
    try:
        yield manager
    finally:
        manager.close()


def activating_python(directory: Path) -> str:
    """A Python that begins with what the manager has kept."""
    program = directory / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {activated.__file__} "$@"\n')
    program.chmod(0o755)
    return str(program)


async def test_sockets_outlive_a_tonewall_of_which_the_keeper_is_killed(tmp_path: Path) -> None:
    with systemd(tmp_path) as manager, contextlib.closing(SipPeer()) as pbx:
        stack = Stack(tmp_path, free_port(), pbx.port, environment={"NOTIFY_SOCKET": manager.address})
        async with running(stack):
            before = stack.sip_port, stack.api_url
            await until(lambda: set(manager.read()) == NAMES, "the sockets to be stored")
            pbx.engine = (HOST, stack.sip_port)
            [keeper] = stack.pids()["keeper"]
            left = [pid for pids in stack.pids().values() for pid in pids]
            for event in ("gave_up", "media_lost", "task_ended", "connection_lost"):
                permit_error(event)
            expect_error("keeper_lost")
            os.kill(keeper, signal.SIGKILL)
            await until(lambda: all(is_gone(pid) for pid in left), "all processes to end")
            pbx.send(pbx.request("OPTIONS"))
            stack.python = activating_python(tmp_path)
            stack.environment["ACTIVATED_BY"] = manager.hands_over_at
            async with manager.handing_over():
                await stack.start_tonewall()
            assert (stack.sip_port, stack.api_url) == before
            await pbx.hear("200", PATIENCE)
            assert set(manager.read()) == NAMES
        # One that is stopped leaves nobody waiting.
        assert manager.read() == {}
