"""Ends a connection of asyncio's streams."""

from __future__ import annotations

import asyncio
import contextlib


async def drop(writer: asyncio.StreamWriter) -> None:
    """Close it at once, whatever was not sent yet, and take the error that ended it, if one did.

    An error that nobody takes is reported as the connection is collected.
    """
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
