"""A real Redis for tests: Debian's, which keeps nothing on a disk."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.stack import free_port, until

PATH = shutil.which("redis-server")


@dataclass
class RedisServer:
    """`await start()`, then ask `url`. `tls`: its authority, certificate and key; `arguments`: more
    of redis-server."""

    directory: Path
    tls: tuple[str, str, str] | None = None
    arguments: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    _process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"rediss://localhost:{self.port}/0" if self.tls else f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        assert PATH is not None, "redis-server is not installed"
        command = [
            PATH,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(self.directory),
        ]
        if self.tls is None:
            command += ["--port", str(self.port)]
        else:
            authority, certificate, key = self.tls
            command += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            command += [
                "--tls-ca-cert-file",
                authority,
                "--tls-cert-file",
                certificate,
                "--tls-key-file",
                key,
            ]
        self._process = await asyncio.create_subprocess_exec(
            *command, *self.arguments, stdout=asyncio.subprocess.DEVNULL
        )
        await until(self._answers, "Redis listens")

    async def stop(self) -> None:
        """Kill it; nothing where it has ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
