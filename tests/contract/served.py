"""Serves a provider's own description over HTTPS: Prism, which nobody here wrote, behind a TLS
server of the test, so that the product's rule of HTTPS holds here too.

Prism checks each request by the description, and answers with an example of it. The front adds
the header `Prefer`, which chooses the example, and keeps what Prism found wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provider_adapters.local.authority import issue
from tests.contract.described import spec_path

_PRISM = Path(__file__).parent / "prism" / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
_PATIENCE = 60.0  # seconds in which it has to listen
_LISTENS = re.compile(r"Prism is listening on http://127\.0\.0\.1:(\d+)")
_VIOLATIONS = re.compile(rb"(?im)^sl-violations: *(.*?)\r$")


@contextlib.contextmanager
def prism(description: str, log: Path) -> Iterator[int]:
    """Prism with this description, at the port of loopback that it yields; a skipped test where
    something for it is missing. What it says goes to `log`."""
    path = spec_path(description)
    node = shutil.which("node")
    if node is None or not _PRISM.is_file():
        pytest.skip("Prism is not installed; `make build/.npm` does it")
    command = [node, str(_PRISM), "mock", str(path), "--host", "127.0.0.1", "--port", "0", "--errors"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        yield _port(process, log)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port, once Prism listens at it."""
    until = time.monotonic() + _PATIENCE
    while True:
        ended = process.poll() is not None
        if found := _LISTENS.search(log.read_text()):
            return int(found[1])
        if ended or time.monotonic() > until:
            raise AssertionError(f"Prism does not listen:\n{log.read_text()}")
        time.sleep(0.05)


class Front:
    """The TLS server before Prism. `prefer`: which of the described answers shall come, as RFC 7240
    writes it; the first where nothing is written. `before`: what goes before that, an answer
    each."""

    def __init__(self, port: int, directory: Path) -> None:
        self._port = port
        self._ca_file, certificate, key = issue(directory)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self.url = ""
        self.prefer = ""
        self.before: list[str] = []
        self.requests: list[str] = []
        """Method and path of each."""
        self.violations: list[str] = []
        """What Prism found wrong, one a request, as JSON."""

    @property
    def ca_file(self) -> str:
        return str(self._ca_file)

    async def __aenter__(self) -> Front:
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0, ssl=self._context)
        self.url = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        self.requests.append(first.rpartition(b" ")[0].decode())
        length = re.search(rb"(?im)^content-length: *(\d+)", rest)
        body = await reader.readexactly(int(length[1])) if length else b""
        wanted = self.before.pop(0) if self.before else self.prefer
        prefer = f"Prefer: {wanted}\r\n".encode() if wanted else b""
        answers, asks = await asyncio.open_connection("127.0.0.1", self._port)
        asks.write(first + b"\r\nConnection: close\r\n" + prefer + rest + body)
        answer = await answers.read()
        asks.close()
        if found := _VIOLATIONS.search(answer.partition(b"\r\n\r\n")[0] + b"\r\n"):
            self.violations.append(found[1].decode())
        writer.write(answer)
        await writer.drain()
        writer.close()
