"""The supervisor's own socket, by which commands on this machine ask it for a reload.

Rule 1: only its own user, or root, is answered; the directory has mode 0700 besides.
Rule 2: a request is one line of JSON, an answer another. Nobody waits longer than PATIENCE for
        either to be sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from b2bua.supervise.reloads import ReloadResult
from tonewall.log import get_logger
from tonewall.unix_peer import is_our_user, read_credentials

log = get_logger(__name__)
CONTROL: Final = "control.sock"
PATIENCE: Final = 10.0  # seconds
_MAX_LINE: Final = 4096  # octets


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a command asks for."""

    what: Literal["reload"]


@contextlib.asynccontextmanager
async def control(directory: Path, reload: Callable[[str], Awaitable[ReloadResult]]) -> AsyncIterator[None]:
    """Answer on the socket in this directory meanwhile. `reload` is called with the name of the
    user who asks. Raises OSError."""
    path = directory / CONTROL
    path.unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            user = _user(writer)
            async with asyncio.timeout(PATIENCE):
                line = await reader.readline()
            if user is not None and line:
                msgspec.json.decode(line, type=ControlRequest)
                writer.write(msgspec.json.encode(await reload(user)) + b"\n")
                async with asyncio.timeout(PATIENCE):
                    await writer.drain()
        except (OSError, ValueError, TimeoutError) as error:
            log.warning("control_request_refused", why=type(error).__name__)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, path, limit=_MAX_LINE)
    path.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def _user(writer: asyncio.StreamWriter) -> str | None:
    """The name of the user who connected; None: one who may not ask."""
    connection = writer.get_extra_info("socket")
    with socket.socket(fileno=os.dup(connection.fileno())) as own:
        credentials = read_credentials(own)
    if credentials.user != 0 and not is_our_user(credentials):
        return None
    try:
        return pwd.getpwuid(credentials.user).pw_name
    except KeyError:
        return f"uid {credentials.user}"


def ask_for_reload(directory: Path, patience: float) -> ReloadResult:
    """Ask the supervisor whose directory this is, and wait so many seconds. Raises OSError where
    none is there, ValueError where it does not answer as it should."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(patience)
        end.connect(str(directory / CONTROL))
        end.sendall(msgspec.json.encode(ControlRequest(what="reload")) + b"\n")
        with end.makefile("rb") as answer:
            line = answer.readline()
    return msgspec.json.decode(line, type=ReloadResult)
