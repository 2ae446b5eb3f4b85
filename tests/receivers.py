"""The receivers of docs/webhooks.md, as whoever copies them runs them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

_PAGE = Path(__file__).parents[1] / "docs" / "webhooks.md"
_BLOCK = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)


def code_with(words: str) -> str:
    """The block of code of the page with these words in it."""
    (found,) = (block.group() for block in _BLOCK.finditer(_PAGE.read_text()) if words in block.group())
    return "".join(line.removeprefix("    ") for line in found.splitlines(keepends=True))


@contextlib.asynccontextmanager
async def python_receiver(directory: Path, port: int) -> AsyncIterator[Path]:
    """That in Python, with the secret in `crm.secret`; the file with what it prints."""
    (directory / "receiver.py").write_text(code_with("BaseHTTPRequestHandler"))
    async with _running(directory, "crm", port, sys.executable, "receiver.py", str(port)) as out:
        yield out


@contextlib.asynccontextmanager
async def node_receiver(directory: Path, port: int, public_key: str) -> AsyncIterator[Path]:
    """That in Node; the file with what it prints."""
    (directory / "receiver.js").write_text(code_with("createServer"))
    async with _running(directory, "books", port, "node", "receiver.js", str(port), public_key) as out:
        yield out


@contextlib.asynccontextmanager
async def _running(directory: Path, name: str, port: int, *command: str) -> AsyncIterator[Path]:
    out = directory / f"{name}.out"
    with out.open("wb") as stdout, (directory / f"{name}.log").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(*command, cwd=directory, stdout=stdout, stderr=stderr)
    try:
        while not await _listens(port):
            assert process.returncode is None, (directory / f"{name}.log").read_text()
            await asyncio.sleep(0.02)
        yield out
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
