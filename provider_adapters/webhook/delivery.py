"""Hands notices and counts to the reconciler, over its unix socket: a connection for each request
that brought some."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from provider_adapters.notice import Notice
from provider_adapters.reconciler.messages import FromReconciler, Noted, Noticed, Refused
from tonewall.frames import BadFrame, Unpacker, pack
from tonewall.log import get_logger
from tonewall.streams import drop

log = get_logger(__name__)
_PATIENCE = 5.0  # seconds for the answer
_CHUNK = 64 * 1024


async def deliver(path: Path, notices: tuple[Notice, ...]) -> bool:
    """Whether the reconciler has them on disk."""
    try:
        return await _ask(path, Noticed(notices=notices))
    except (OSError, TimeoutError, BadFrame) as error:
        log.warning("reconciler_not_reached", hint="the provider sends it again", exc_info=error)
        return False


async def report(path: Path, refused: Refused) -> bool:
    """Whether the reconciler has added the counts. One that is away is no event: they are kept."""
    try:
        return await _ask(path, refused)
    except (OSError, TimeoutError, BadFrame):
        return False


async def _ask(path: Path, message: Noticed | Refused) -> bool:
    async with asyncio.timeout(_PATIENCE):
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(pack(message))
            await writer.drain()
            return await _await_answer(reader)
        finally:
            await drop(writer)


async def _await_answer(reader: asyncio.StreamReader) -> bool:
    unpacker = Unpacker(cast("type[FromReconciler]", FromReconciler))
    while data := await reader.read(_CHUNK):
        for message in unpacker.feed(data):
            if isinstance(message, Noted):
                return message.kept
    return False
