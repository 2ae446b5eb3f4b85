"""The supervisor's own socket, by which commands on this machine ask it for a reload, or an
upgrade.

Rule 1: only its own user, or root, is answered; the directory has mode 0700 besides.
Rule 2: a request is one line of JSON, an answer another. Nobody waits longer than PATIENCE for
        either to be sent. Lines of progress may come before the answer.
Rule 3: whoever asked may go: what was begun is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from b2bua.supervise.reloads import ReloadResult
from b2bua.supervise.upgrades import Progress, UpgradeResult
from tonewall.log import get_logger
from tonewall.unix_peer import is_our_user, read_credentials

log = get_logger(__name__)
CONTROL: Final = "control.sock"
PATIENCE: Final = 10.0  # seconds
_MAX_LINE: Final = 4096  # octets


class ControlRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a command asks for."""

    what: Literal["reload", "upgrade"]
    patience: float = 0.0


class ControlProgress(msgspec.Struct, frozen=True, tag="progress"):
    """What has been done so far."""

    text: str


class _Upgrades(Protocol):
    async def upgrade(self, by: str, patience: float, progress: Progress) -> UpgradeResult: ...


@contextlib.asynccontextmanager
async def control(
    directory: Path, reload: Callable[[str], Awaitable[ReloadResult]], upgrades: _Upgrades
) -> AsyncIterator[None]:
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
                request = msgspec.json.decode(line, type=ControlRequest)

                async def progress(text: str) -> None:
                    await _send(writer, ControlProgress(text))

                if request.what == "upgrade":
                    await _send(writer, await upgrades.upgrade(user, request.patience, progress))
                else:
                    await _send(writer, await reload(user))
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


async def _send(writer: asyncio.StreamWriter, message: msgspec.Struct) -> None:
    """Send a line; nobody may read it any more."""
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(msgspec.json.encode(message) + b"\n")
        async with asyncio.timeout(PATIENCE):
            await writer.drain()


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
    with _asked(directory, ControlRequest(what="reload"), patience) as answer:
        return msgspec.json.decode(answer.readline(), type=ReloadResult)


def ask_for_upgrade(
    directory: Path, patience: float, silence: float, progress: Callable[[str], object]
) -> UpgradeResult:
    """Ask the supervisor whose directory this is to go over to the installed code. `patience`:
    seconds that it waits for payments; `silence`: seconds without a word after which it is given
    up; `progress`: is given each step. Raises as `ask_for_reload`."""
    request = ControlRequest(what="upgrade", patience=patience)
    with _asked(directory, request, patience + silence) as answer:
        while True:
            said = msgspec.json.decode(answer.readline(), type=ControlProgress | UpgradeResult)
            if isinstance(said, UpgradeResult):
                return said
            progress(said.text)


@contextlib.contextmanager
def _asked(directory: Path, request: ControlRequest, patience: float) -> Iterator[BufferedReader]:
    """What the supervisor answers. Raises OSError where none is there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(patience)
        end.connect(str(directory / CONTROL))
        end.sendall(msgspec.json.encode(request) + b"\n")
        with end.makefile("rb") as answer:
            yield answer
