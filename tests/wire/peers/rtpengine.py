"""Debian's rtpengine in userspace: the relay of the rtpengine engine, on ports of its own."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

from media.rtpengine.ng import NgError
from media.rtpengine.servers import Server
from media.settings import ServerAddress
from tests.complaints import expect_error, permit_error
from tests.stack import PATIENCE, free_port, media_ports, until

GENERAL = {"other_audio": "refuse"}  # what rtpengine cannot decode
_PORTS = 200  # a daemon's; above those of this worker's Tonewall


def available() -> bool:
    return shutil.which("rtpengine") is not None


class Rtpengine:
    """One daemon. `digits`: the port on `HOST` to which it reports keys; None: it reports none."""

    HOST = "127.0.0.1"

    def __init__(self, directory: Path, index: int, digits: int | None) -> None:
        self.port = free_port()
        self.log = directory / f"rtpengine-{index}.log"
        low = int(media_ports(1).partition("-")[0]) + 600 + index * _PORTS
        self._arguments = [
            "--config-file=none", f"--interface={self.HOST}", f"--listen-ng={self.HOST}:{self.port}",
            f"--port-min={low}", f"--port-max={low + _PORTS - 1}", "--table=-1", "--foreground",
            "--log-stderr",
            "--log-level=6", "--num-threads=1",
        ]  # fmt: skip
        if digits is not None:
            self._arguments.append(f"--dtmf-log-dest={self.HOST}:{digits}")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"{self.HOST}:{self.port}"

    async def start(self) -> Rtpengine:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "rtpengine", *self._arguments, stdout=log, stderr=log
            )

        async def answers() -> bool:
            try:
                await self.ask("ping")
            except NgError:
                return False
            return True

        await until(answers, f"rtpengine; see {self.log}")
        return self

    async def ask(self, command: str) -> object:
        """Its answer, over a socket of our own. Raises NgError."""
        server = Server(ServerAddress(self.HOST, self.port))
        await server.connect()
        try:
            return await server.ask(command)
        finally:
            server.close()

    async def calls(self) -> int:
        """How many it holds."""
        match await self.ask("list"):
            case {"calls": [*calls]}:
                return len(calls)
        raise AssertionError("no list of calls")

    async def kill(self) -> None:
        """kill -9; until it is gone. What Tonewall says of it is expected."""
        assert self._process is not None
        expect_error("session_lost")
        permit_error("rtpengine_lost")  # unless it is there again before it is missed
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await asyncio.wait_for(self._process.wait(), PATIENCE)


def engine(digits: int, *daemons: Rtpengine) -> dict[str, str]:
    """`[media]` for these servers."""
    return {
        "engine": "rtpengine",
        "rtpengine": ", ".join(daemon.address for daemon in daemons),
        "rtpengine_digits": f"127.0.0.1:{digits}",
    }
