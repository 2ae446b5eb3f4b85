"""An API with an audit log on a disk, which a test can fill."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.api.http import create_app
from b2bua.audit.chain import read_line
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import Recorder
from b2bua.audit.verify import log_files
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody

KEY = Ed25519PrivateKey.generate()
TOKEN, COLLEAGUE = "a-token-for-the-tests", "another-token-for-tests"


class Disk:
    """A log that opens, or does not."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.is_full = directory, False

    def open(self) -> LogFile:
        if self.is_full:
            raise OSError(28, os.strerror(28))
        return LogFile(self.directory, KEY, lambda: 1_796_000_000.0)

    def entries(self) -> list[dict[str, Any]]:
        lines = [
            read_line(each)
            for path in log_files(self.directory)
            for each in path.read_bytes().split(b"\n")[:-1]
        ]
        return [
            {"number": line.number, **msgspec.to_builtins(line.entry)}
            for line in lines
            if line.entry is not None
        ]


@asynccontextmanager
async def served(
    disk: Disk, desk: FakeDesk, *, required: bool = False, token: str = TOKEN, **options: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Recorder]]:
    recorder = Recorder(disk.open, lambda: 1_796_000_000.0, "c0ffee", required=required)
    writing = asyncio.create_task(recorder.run())
    people = everybody(f"ann:{TOKEN}, ben:{COLLEAGUE}")
    app = create_app(desk, authenticators=people, audit=recorder, **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.7", 4000))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://tonewall", headers=headers) as client:
        yield client, recorder
    await recorder.end()
    await writing
