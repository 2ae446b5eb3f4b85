"""The b2bua at the media service's socket, played by the test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from media.events import (
    AnyAnswer,
    AnyCommand,
    AnyNews,
    CaptureChanged,
    CodeKeyed,
    KeyingChanged,
    MaskWentOff,
    MaskWentOn,
    PromptEnded,
    SessionId,
    SessionLost,
)
from tonewall.frames import Unpacker, pack


class B2bua:
    """One connection, as b2bua makes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.news: list[CaptureChanged] = []
        self.lost: list[SessionId] = []
        self.keying: list[bool] = []
        self.prompts: list[PromptEnded] = []
        self.codes: list[str] = []
        self.masks: list[MaskWentOn | MaskWentOff] = []
        self._unpacker = Unpacker(AnyAnswer | AnyNews)  # type: ignore[arg-type]
        self._came: deque[AnyAnswer | AnyNews] = deque()

    async def ask(self, command: AnyCommand) -> AnyAnswer:
        self.writer.write(pack(command))
        return await self.answer()

    async def answer(self) -> AnyAnswer:
        """The next answer."""
        while True:
            while not self._came:
                data = await asyncio.wait_for(self.reader.read(65536), 10)
                assert data
                self._came.extend(self._unpacker.feed(data))
            message = self._came.popleft()
            if isinstance(message, CaptureChanged):
                self.news.append(message)
            elif isinstance(message, KeyingChanged):
                self.keying.append(message.keying)
            elif isinstance(message, MaskWentOn | MaskWentOff):
                self.masks.append(message)
            elif isinstance(message, PromptEnded):
                self.prompts.append(message)
            elif isinstance(message, CodeKeyed):
                self.codes.append(message.code)
            elif isinstance(message, SessionLost):
                self.lost.append(message.session)
            else:
                return message


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[B2bua]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield B2bua(reader, writer)
    finally:
        writer.close()
